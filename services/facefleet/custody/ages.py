"""How old a record is when the wall clock cannot be trusted: a Jetson boots without one."""

import time

BELIEVABLE_MS = 1_767_225_600_000
"""2026-01-01: no record is older than the software."""
MOST_BELIEVABLE_S = 366 * 86_400.0
"""A greater difference says that one of the two clocks was wrong."""


class Ages:
    """Knows the ages of records from before this start; those since then go by a clock that does not jump."""

    def __init__(self) -> None:
        self._wall_ms = now_ms()
        self._monotonic = time.monotonic()

    def since(self, stamp_ms: int) -> float:
        """Return the age in seconds of what an earlier run stamped; since the open if a clock is wrong."""
        here = time.monotonic() - self._monotonic
        if stamp_ms < BELIEVABLE_MS or self._wall_ms < BELIEVABLE_MS:
            return here
        before = (self._wall_ms - stamp_ms) / 1000
        return here + before if 0.0 < before <= MOST_BELIEVABLE_S else here


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970, whatever it says, but never less than 0."""
    return max(0, time.time_ns() // 1_000_000)
