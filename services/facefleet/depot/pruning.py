"""Takes away what nobody needs any more.

Blobs that no order names, orders that were followed by others, enrolments whose time is over.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from facefleet.depot import layout
from facefleet.depot.catalog import Catalog, Map
from facefleet.depot.desk import DeskError, read_enrolment
from facefleet.depot.layout import OrderPlace
from facefleet.depot.news import tell_news
from facefleet.depot.order import OrderError, read_order
from facefleet.depot.store import Store
from facefleet.storage.trouble import AbsentError


class PruneError(Exception):
    """It cannot be told what is needed, so nothing was taken away; the text says why."""


def prune(store: Store, names: frozenset[str], now: datetime, spare: timedelta, each: Map) -> dict[str, int]:
    """Take it away, for ever, and return how much. See `Store`.

    Args:
        store: the bucket.
        names: the devices that count.
        now: the time.
        spare: what came to the bucket since so long stays: a promotion may be bringing it.
        each: `map`, or that of a pool.

    Raises:
        PruneError: an order that is needed cannot be read.
    """
    catalog = Catalog(store)
    catalog.read_orders(each)
    catalog.read_standings(each)
    kept = catalog.needed(names, now)
    blobs = {digest for found in each(lambda place: _blobs_of(store, place), kept) for digest in found}
    before = now - spare
    orders, sizes = [], {}
    for listed in store.listing(layout.ORDERS):
        found = layout.order_at(listed.key)
        if found and found[0] not in kept and listed.modified < before:
            orders.append(listed.key)
    for listed in store.listing(layout.BLOBS):
        if listed.key.removeprefix(layout.BLOBS) not in blobs and listed.modified < before:
            sizes[listed.key] = listed.size
    expired = list(_expired(store, now))
    # The text first: a signature alone is no order.
    list(each(store.erase, sorted(orders, key=lambda key: key.endswith(".sig"))))
    list(each(store.erase, [*sizes, *expired]))
    if orders:
        tell_news(store)
    return {
        "orders": sum(key.endswith(".json") for key in orders),
        "blobs": len(sizes),
        "bytes": sum(sizes.values()),
        "enrolment": len(expired),
    }


def _blobs_of(store: Store, place: OrderPlace) -> set[str]:
    try:
        return set(read_order(store.read(place.text).content).blobs)
    except OrderError as error:
        raise PruneError(f"{place.text}: {error}: bring a newer order for {place.device}") from error
    except AbsentError:
        return set()


def _expired(store: Store, now: datetime) -> Iterator[str]:
    for listed in store.listing(layout.ENROLMENT):
        try:
            if read_enrolment(store.read(listed.key).content).expires <= now:
                yield listed.key
        except (AbsentError, DeskError):
            continue
