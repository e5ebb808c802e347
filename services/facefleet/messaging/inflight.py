"""The messages that are being worked on, each once, however often the broker sends it."""

import hashlib
import threading
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from facefleet.messaging.link import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]

_gauge = Gauge("facefleet_messages_held", "Messages taken and not yet acknowledged")


class InFlight:
    """Keeps how to acknowledge each copy of a message, but the message itself not. Thread-safe.

    A copy from a connection that is gone is acknowledged in vain, which does no harm. A second copy in the
    same connection needs its own acknowledgement, or it takes up the broker's window for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Key, list[Callable[[], None]]] = {}
        _gauge.set_function(lambda: len(self._held))

    def __len__(self) -> int:
        """Return how many messages are being worked on."""
        return len(self._held)

    def take(self, delivery: Delivery) -> Key | None:
        """Note a delivery; None means that the same message is being worked on already."""
        key = key_of(delivery)
        with self._lock:
            copies = self._held.setdefault(key, [])
            copies.append(delivery.acknowledge)
            return key if len(copies) == 1 else None

    def finish(self, key: Key) -> None:
        """Acknowledge all copies of a message and forget it."""
        with self._lock:
            copies = self._held.pop(key)
        for acknowledge in copies:
            acknowledge()


def key_of(delivery: Delivery) -> Key:
    """Return what tells messages apart: all that was sent, for two with one id need not be the same."""
    digest = hashlib.sha256(repr((delivery.content_type, delivery.properties)).encode())
    digest.update(delivery.payload)
    return delivery.topic, digest.hexdigest()
