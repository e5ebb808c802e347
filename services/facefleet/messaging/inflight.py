"""The deliveries that are being worked on, each once, however often the broker sends it."""

import hashlib
import threading

from facefleet.messaging.link import Delivery

Key = tuple[str, str]


class InFlight:
    """Keeps the newest delivery of each message, for that is the one to acknowledge. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Key, Delivery] = {}

    def __len__(self) -> int:
        """Return how many messages are being worked on."""
        return len(self._held)

    def take(self, delivery: Delivery) -> Key | None:
        """Note a delivery; None means that the same message is being worked on already."""
        key = key_of(delivery)
        with self._lock:
            known = key in self._held
            self._held[key] = delivery
        return None if known else key

    def finish(self, key: Key) -> None:
        """Acknowledge the newest delivery of a message and forget it."""
        with self._lock:
            delivery = self._held.pop(key)
        delivery.acknowledge()


def key_of(delivery: Delivery) -> Key:
    """Return what tells messages apart: topic and event id, or the payload's hash if it has none."""
    identity = dict(delivery.properties).get("id") or hashlib.sha256(delivery.payload).hexdigest()
    return delivery.topic, identity
