"""Ages while the wall clock is wrong: a Jetson boots in 1970 and jumps when the network is there."""

import time
from pathlib import Path

import pytest
from facefleet.custody import ages as ages_of_records
from facefleet.custody.spool import Spool

from tests.unit.custody.folders import entry

NOW = 1_795_000_000.0
"""In November 2026."""
DAY = 86_400.0


class Clock:
    """Both clocks of a machine, in seconds: they go on together, and the wall clock may be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wall: float) -> None:
        self.wall = wall
        self.monotonic = 50.0
        monkeypatch.setattr(time, "time_ns", lambda: int(self.wall * 1e9))
        monkeypatch.setattr(time, "monotonic", lambda: self.monotonic)
        self.right = True
        """What the kernel says of it."""
        monkeypatch.setattr(ages_of_records, "known_right", lambda trust: trust == "trusted" or self.right)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def reboots(self, wall: float) -> None:
        self.wall = wall
        self.monotonic = 5.0


def ages(spool: Spool) -> tuple[float, float]:
    """Return the age of the oldest waiting record as told with it, and as told in the accounts."""
    record = spool.next("oldest")
    assert record is not None
    oldest = spool.accounts().oldest_s
    spool.give_back(record.ticket)
    return round(record.age_s, 2), round(oldest, 2)


def opened(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", max_bytes=1 << 20)


def opened_by_kernel(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", max_bytes=1 << 20, clock="kernel")


def test_within_one_run_the_wall_clock_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, 0.0)
    spool = opened(tmp_path)
    assert spool.accounts().oldest_s == 0
    clock.passes(7)
    spool.append([entry(1)])
    for wall in (NOW, 0.0, NOW + 100 * 365 * DAY, -5.0):
        clock.wall = wall
        clock.passes(10)
    assert ages(spool) == (40, 40)
    spool.close()


@pytest.mark.parametrize(
    ("taken_at", "opened_at", "age"),
    [
        pytest.param(NOW, NOW + 3600, 3600, id="both right"),
        pytest.param(100.0, NOW, 0, id="taken before the clock was set"),
        pytest.param(NOW, 30.0, 0, id="opened before the clock is set"),
        pytest.param(10.0, 3000.0, 0, id="never set"),
        pytest.param(NOW, NOW - DAY, 0, id="set back"),
        pytest.param(NOW, NOW + 70 * 365 * DAY, 0, id="far in the future"),
    ],
)
def test_across_a_restart(
    taken_at: float, opened_at: float, age: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, taken_at)
    spool = opened(tmp_path)
    spool.append([entry(1)])
    spool.close()
    clock.reboots(opened_at)
    spool = opened(tmp_path)
    assert ages(spool) == (age, age)
    clock.wall = NOW + 5 * DAY
    clock.passes(2)
    assert ages(spool) == (age + 2, age + 2)
    spool.close()


MONTH = 30 * DAY


@pytest.mark.parametrize(
    ("taken", "opened"),
    [
        pytest.param((NOW, True), (NOW + 5 * MONTH, False), id="opened with a clock months ahead"),
        pytest.param((NOW - 5 * MONTH, False), (NOW, True), id="taken with a clock that stood still"),
        pytest.param((NOW - 5 * MONTH, False), (NOW, False), id="taken and opened with such a one"),
    ],
)
def test_a_clock_that_nobody_set_gives_nothing_up(
    taken: tuple[float, bool], opened: tuple[float, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, 0.0)
    kept: list[int] = []
    for wall, clock.right in (taken, opened):
        clock.reboots(wall)
        spool = opened_by_kernel(tmp_path)
        if not kept:
            spool.append([entry(1)])
        clock.passes(3600)
        spool.give_up_older(30 * DAY)
        kept.append(spool.waiting)
        spool.close()
    assert kept == [1, 1]


def test_what_is_really_too_old_goes_once_the_clock_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, NOW)
    spool = opened_by_kernel(tmp_path)
    spool.append([entry(1)])
    spool.close()
    clock.reboots(NOW - 100 * DAY)  # where it stood still, so far
    clock.right = False
    spool = opened_by_kernel(tmp_path)
    clock.passes(3600)
    assert spool.give_up_older(30 * DAY) == 0
    clock.wall, clock.right = NOW + 31 * DAY, True
    assert ages(spool) == (31 * DAY, 31 * DAY)
    assert spool.give_up_older(30 * DAY) == 1
    spool.close()


def test_order_does_not_follow_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, NOW)
    for number, wall in enumerate((NOW, 5.0, NOW - DAY, NOW + DAY), 1):
        clock.reboots(wall)
        spool = opened(tmp_path)
        spool.append([entry(number)])
        spool.close()
    spool = opened(tmp_path)
    bodies = [record.body[:2] for record in iter(lambda: spool.next("oldest"), None) if record]
    assert bodies == [b"1:", b"2:", b"3:", b"4:"]
    spool.close()
