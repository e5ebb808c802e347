"""How often a password may be wrong. Pure but for the clock."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

FREE_TOGETHER, FREE_APART = 5, 50
"""So many may be wrong for one name from one address, and for either alone, before one has to wait.

Many people may come from one address, and a stranger may guess at a name: neither shuts out the others soon.
"""
WAIT_FIRST_S = 2.0
WAIT_MOST_S = 900.0
FORGET_AFTER_S = 3600.0
NAMES_MOST = 10_000


class Throttle:
    """Counts failures; each beyond the free ones doubles the wait. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, name: str, address: str) -> float:
        """Return how long somebody has to wait; 0 for not at all."""
        now = self._clock()
        with self._lock:
            return max(
                _wait(self._failures.get(key), free, now) for key, free in _counted(name, address).items()
            )

    def failed(self, name: str, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        with self._lock:
            for key in _counted(name, address):
                count, at = self._failures.pop(key, (0, now))
                self._failures[key] = (1 if now - at > FORGET_AFTER_S else count + 1, now)
            while len(self._failures) > NAMES_MOST:
                self._failures.popitem(last=False)

    def passed(self, name: str, address: str) -> None:
        """Forget the failures of who knew it."""
        with self._lock:
            for key in _counted(name, address):
                self._failures.pop(key, None)


def _counted(name: str, address: str) -> dict[str, int]:
    """Return what is counted, and how many failures of it are free."""
    return {
        f"{name[:64]} from {address}": FREE_TOGETHER,
        f"name {name[:64]}": FREE_APART,
        f"address {address}": FREE_APART,
    }


def _wait(failures: tuple[int, float] | None, free: int, now: float) -> float:
    if failures is None or failures[0] < free:
        return 0.0
    count, at = failures
    return max(0.0, at + min(WAIT_MOST_S, WAIT_FIRST_S * 2.0 ** min(count - free, 20)) - now)
