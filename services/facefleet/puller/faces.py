"""Whether faces wait for the link, as the edge broker's retained status tells: they go first."""

import threading
import time
from collections.abc import Callable

from pydantic import AnyUrl

from facefleet.fleet.device import CONNECTED, Device, parse
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.link import Link

FEW = 10
"""So many are on their way at any time."""
MOVES_WITHIN_S = 90.0
"""A status comes every 30 seconds. A backlog of which nothing went for so long does not use the link."""
FIRST_MOST_S = 1800.0
"""For so long in all: a camera that sees faces all day must not keep its own device from being mended."""


class Backlog:
    """What the device says of itself, while we fetch. Pure, but for the lock: the caller brings the clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: int | None = None
        self._moved_at = 0.0
        self._held = 0
        self._connected = False
        self._looked_at: float | None = None
        self._first_s = 0.0

    def heard(self, device: Device, now: float) -> None:
        """Take a status. The first, and the first of a connection, do not tell whether it goes: it may."""
        with self._lock:
            connected = device.cloud == CONNECTED
            if (
                self._stored is None
                or (device.stored or 0) > self._stored
                or (connected and not self._connected)
            ):
                self._moved_at = now
            self._stored = device.stored or 0
            self._held = device.held or 0
            self._connected = connected

    def goes_first(self, now: float) -> bool:
        """Return whether there is a backlog that goes; each time we look counts the time since the last."""
        with self._lock:
            goes = self._held > FEW and now - self._moved_at < MOVES_WITHIN_S
            if goes and self._looked_at is not None:
                self._first_s += now - self._looked_at
            self._looked_at = now if goes else None
            return goes and self._first_s < FIRST_MOST_S


class Listener:
    """Hears the status on the edge broker; where none runs yet there are no faces either."""

    def __init__(self, broker: AnyUrl, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.backlog = Backlog()
        self._clock = clock
        self._link = Link(
            broker,
            f"puller-{device}",
            subscriptions=[topics.device_status(device)],
            on_message=self._hear,
        )

    def __enter__(self) -> Backlog:
        """Start to listen."""
        self._link.start()
        return self.backlog

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._link.stop()

    def _hear(self, delivery: Delivery) -> None:
        delivery.acknowledge()
        self.backlog.heard(parse(delivery.payload), self._clock())
