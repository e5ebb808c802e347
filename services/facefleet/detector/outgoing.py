"""Events on their way to the broker, kept in memory until it has them."""

import heapq
import threading
import time
from collections.abc import Callable
from functools import partial

from prometheus_client import Counter, Gauge

from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Outcome
from facefleet.runtime import logs

Send = Callable[[FaceEvent, Callable[[Outcome], None]], None]

WINDOW = 20
"""Events given to the link at once: what it queues itself, it scans at each acknowledgement."""
RETRY_S = 1.0
TICK_S = 0.2

_log = logs.get("detector")
_published = Counter("facefleet_faces_published_total", "Faces that the edge broker has acknowledged")
_given_up = Counter("facefleet_faces_given_up_total", "Faces given up because too many were pending")
_pending = Gauge("facefleet_faces_pending", "Faces that the edge broker does not have yet")


class Outgoing:
    """Offers events to the broker until it accepts them, the oldest first. Thread-safe."""

    def __init__(self, send: Send, pending_max: int) -> None:
        """Start empty; `send` passes an event on and says later what became of it."""
        self._send = send
        self._pending_max = pending_max
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: list[tuple[int, FaceEvent]] = []
        self._in_flight = 0
        self._not_before = 0.0
        self._troubled = False
        self.published = 0
        """Acknowledged by the broker since the start."""
        self.given_up = 0
        _pending.set_function(lambda: self.pending)

    @property
    def pending(self) -> int:
        """Return how many events the broker does not have yet."""
        return len(self._waiting) + self._in_flight

    def offer(self, event: FaceEvent) -> None:
        """Take an event, or give it up if too many are pending already."""
        with self._lock:
            full = self.pending >= self._pending_max
            if full:
                self.given_up += 1
            else:
                heapq.heappush(self._waiting, (event.sequence, event))
        if full:
            _given_up.inc()
            _log.warning(
                "face given up: too many pending",
                pending=self._pending_max,
                sequence=event.sequence,
                remedy="see why the edge broker takes none",
            )
        self._wake.set()

    def wait(self) -> None:
        """Sleep until there may be something to send, at most a tick."""
        self._wake.wait(TICK_S)
        self._wake.clear()

    def send_due(self) -> None:
        """Give the link what its window has room for. One thread only calls this."""
        while event := self._take():
            self._send(event, partial(self._answered, event))

    def _take(self) -> FaceEvent | None:
        with self._lock:
            if not self._waiting or self._in_flight >= WINDOW or time.monotonic() < self._not_before:
                return None
            self._in_flight += 1
            return heapq.heappop(self._waiting)[1]

    def _answered(self, event: FaceEvent, outcome: Outcome) -> None:
        accepted = outcome is Outcome.ACCEPTED
        with self._lock:
            self._in_flight -= 1
            turned = self._troubled is accepted
            self._troubled = not accepted
            if accepted:
                self.published += 1
            else:
                heapq.heappush(self._waiting, (event.sequence, event))
                self._not_before = time.monotonic() + RETRY_S
        if accepted:
            _published.inc()
            self._wake.set()
        if turned and accepted:
            _log.info("the edge broker takes faces again")
        elif turned:
            _log.warning("the edge broker did not take a face, trying again", outcome=outcome.value)
