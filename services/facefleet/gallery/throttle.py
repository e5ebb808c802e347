"""How often a password may be wrong. Pure but for the clock."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5
"""So many may be wrong before one has to wait."""
WAIT_FIRST_S = 2.0
WAIT_MOST_S = 900.0
FORGET_AFTER_S = 3600.0
NAMES_MOST = 10_000


class Throttle:
    """Counts failures by name and by address: each beyond the free ones doubles the wait. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, *whose: str) -> float:
        """Return how long one of these has to wait; 0 for not at all."""
        now = self._clock()
        with self._lock:
            return max([self._wait(self._failures.get(one), now) for one in whose] or [0.0])

    def failed(self, *whose: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        with self._lock:
            for one in whose:
                count, at = self._failures.pop(one, (0, now))
                self._failures[one] = (1 if now - at > FORGET_AFTER_S else count + 1, now)
            while len(self._failures) > NAMES_MOST:
                self._failures.popitem(last=False)

    def passed(self, *whose: str) -> None:
        """Forget the failures of who knew it."""
        with self._lock:
            for one in whose:
                self._failures.pop(one, None)

    @staticmethod
    def _wait(failures: tuple[int, float] | None, now: float) -> float:
        if failures is None or failures[0] < FREE:
            return 0.0
        count, at = failures
        return max(0.0, at + min(WAIT_MOST_S, WAIT_FIRST_S * 2.0 ** min(count - FREE, 20)) - now)
