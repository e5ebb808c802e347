"""How old a record is when the wall clock cannot be trusted: a Jetson boots without one."""

import time

from facefleet.runtime.clock import Trust, known_right

BELIEVABLE_MS = 1_767_225_600_000
"""2026-01-01: no record is older than the software."""
MOST_BELIEVABLE_S = 366 * 86_400.0
"""A greater difference says that one of the two clocks was wrong."""


class Ages:
    """Knows the ages of records from before this start; those since then go by a clock that does not jump.

    The wall clock counts only while it is known to be right: a record of an hour ago is no year old because
    the host started with its clock a year ahead, or with one that stood still for a year and was set since.
    """

    def __init__(self, clock: Trust) -> None:
        self._clock = clock
        self._monotonic = time.monotonic()
        self._opened_ms: float | None = None
        """By the wall clock; known as soon as that is right for the first time."""
        self._opened()

    def stamp(self) -> int:
        """Return the wall clock for a record that is written now; 0 if nobody knows that it is right."""
        return now_ms() if known_right(self._clock) else 0

    def since(self, stamp_ms: int) -> float:
        """Return the age in seconds of what an earlier run stamped; since the open if a clock is wrong."""
        here = time.monotonic() - self._monotonic
        if stamp_ms < BELIEVABLE_MS or (opened := self._opened()) is None or opened < BELIEVABLE_MS:
            return here
        before = (opened - stamp_ms) / 1000
        return here + before if 0.0 < before <= MOST_BELIEVABLE_S else here

    def _opened(self) -> float | None:
        if self._opened_ms is None and known_right(self._clock):
            self._opened_ms = now_ms() - (time.monotonic() - self._monotonic) * 1000
        return self._opened_ms


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970, whatever it says, but never less than 0."""
    return max(0, time.time_ns() // 1_000_000)
