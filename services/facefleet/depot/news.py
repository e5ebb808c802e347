"""Tells the depot that serves that orders came or went."""

import secrets

from facefleet.depot import layout
from facefleet.depot.store import Store


def tell_news(store: Store) -> None:
    """Write another content where it looks. See `Store`."""
    store.write(layout.NEWS, secrets.token_hex(8).encode(), kind="text/plain")
