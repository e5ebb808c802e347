"""A moment that has passed, told in the clock's time: a clock that is set right later moves it along."""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Self

STEP_S = 2.0
"""What the clock moves by and no more is no step, and leaves what was said as it is."""


class Moment(NamedTuple):
    """What both clocks showed then. A Jetson without a battery starts in 1970, and learns the time later."""

    wall_s: float
    steady_s: float

    @classmethod
    def now(cls) -> Self:
        """Return this one."""
        return cls(time.time(), time.monotonic())

    def said(self) -> str:
        """Return it as ISO 8601 in UTC, as the clock of now has it."""
        step = (time.time() - time.monotonic()) - (self.wall_s - self.steady_s)
        return iso(datetime.fromtimestamp(self.wall_s + (step if abs(step) > STEP_S else 0.0), UTC))


def iso(moment: datetime) -> str:
    """Return a time of a status message: UTC, in seconds, with Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
