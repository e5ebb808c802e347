"""Holds each message until the other side has it.

The edge broker is the store: a message is acknowledged to it only once the cloud broker took it, so
no more than the window is ever in memory.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from prometheus_client import Counter

from facefleet.messaging.inflight import InFlight, Key
from facefleet.messaging.link import Delivery, Outcome
from facefleet.runtime import logs

Send = Callable[[Delivery, Callable[[Outcome], None]], None]

_log = logs.get("relay")
_taken = Counter("facefleet_messages_taken_total", "Messages taken from the edge broker")
_forwarded = Counter("facefleet_messages_forwarded_total", "Messages that the cloud broker took")


class Relay:
    """Takes deliveries, sends them, and sends again what was not taken."""

    def __init__(self, send: Send, retry_s: float) -> None:
        self._send = send
        self._retry_s = retry_s
        self._in_flight = InFlight()
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, Key, Delivery]] = deque()

    def take(self, delivery: Delivery) -> None:
        """Start to carry a message; one that is being carried already is not sent twice."""
        key = self._in_flight.take(delivery)
        if key is not None:
            _taken.inc()
            self._carry(key, delivery)

    def retry_due(self) -> None:
        """Send again what has waited long enough."""
        now = time.monotonic()
        while True:
            with self._lock:
                if not self._waiting or self._waiting[0][0] > now:
                    return
                _, key, delivery = self._waiting.popleft()
            self._carry(key, delivery)

    def _carry(self, key: Key, delivery: Delivery) -> None:
        self._send(delivery, lambda outcome: self._answered(key, delivery, outcome))

    def _answered(self, key: Key, delivery: Delivery, outcome: Outcome) -> None:
        if outcome is Outcome.ACCEPTED:
            self._in_flight.finish(key)
            _forwarded.inc()
            return
        _log.warning(
            "cloud broker did not take a message, trying again",
            topic=delivery.topic,
            outcome=outcome.value,
            seconds=self._retry_s,
        )
        with self._lock:
            self._waiting.append((time.monotonic() + self._retry_s, key, delivery))
