"""How often a stranger may ask. Pure but for the clock."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from facefleet.depot.addresses import owner

ADDRESSES_MOST = 10_000


@dataclass(slots=True)
class _Purse:
    left: float
    at: float


class Pace:
    """Each address may ask so many times at once, and then so often a second; all together ten times that."""

    TOGETHER = 10

    def __init__(self, burst: float, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._of: OrderedDict[str, _Purse] = OrderedDict()
        self._all = _Purse(burst * self.TOGETHER, clock())

    def wait_s(self, address: str) -> float:
        """Count a request; return 0 if it may be served, else after how many seconds another may."""
        now = self._clock()
        key = owner(address)
        own = self._of.pop(key, None) or _Purse(self._burst, now)
        self._of[key] = own
        while len(self._of) > ADDRESSES_MOST:
            self._of.popitem(last=False)
        purses = ((own, 1), (self._all, self.TOGETHER))
        for purse, times in purses:
            purse.left = min(self._burst * times, purse.left + (now - purse.at) * self._per_s * times)
            purse.at = now
        wait = max((1 - purse.left) / (self._per_s * times) for purse, times in purses)
        if wait > 0:
            return wait
        for purse, _ in purses:
            purse.left -= 1
        return 0.0
