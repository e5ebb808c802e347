"""A moment is told in the time of a clock that may have been set right since."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from facefleet.runtime.moment import Moment, iso


class Clocks:
    """What both clocks show."""

    wall, steady = 86_400.0, 50.0

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(time, "time", lambda: made.wall)
    monkeypatch.setattr(time, "monotonic", lambda: made.steady)
    return made


def test_it_moves_along_when_the_clock_is_set(clocks: Clocks) -> None:
    moment = Moment.now()
    clocks.go_on(60)
    assert moment.said() == "1970-01-02T00:00:00Z"
    clocks.wall = 1_795_600_860.0
    assert moment.said() == "2026-11-25T10:00:00Z"


def test_it_stays_as_it_was_said_while_the_clock_is_only_pulled_straight(clocks: Clocks) -> None:
    moment = Moment.now()
    clocks.go_on(3600)
    clocks.wall += 1.5
    assert moment.said() == "1970-01-02T00:00:00Z"


def test_times_are_said_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert iso(datetime(2026, 11, 25, 18, 0, 0, 999_000, berlin)) == "2026-11-25T17:00:00Z"
