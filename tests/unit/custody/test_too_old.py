"""What is older than it may be is given up, counted and gone; a wrong clock throws nothing away."""

import secrets
from pathlib import Path

import pytest
from facefleet.custody.entry import Entry
from facefleet.custody.room import folder_can_punch
from facefleet.custody.spool import Spool

from tests.unit.custody.folders import balanced, copied, drained, entry
from tests.unit.custody.test_ages import DAY, NOW, Clock

KEEP = 7 * DAY


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch, NOW)


def opened(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", max_bytes=1 << 20)


def numbers(spool: Spool) -> list[int]:
    return [int(record.body.split(b":")[0]) for record in drained(spool)]


def test_what_is_older_goes_and_the_rest_stays(tmp_path: Path, clock: Clock) -> None:
    spool = opened(tmp_path)
    for number in range(1, 11):
        spool.append([entry(number)])
        clock.passes(DAY)
    assert spool.give_up_older(KEEP) == 3
    assert spool.give_up_older(KEEP) == 0
    accounts = spool.accounts()
    assert (accounts.taken, accounts.given_up, accounts.held) == (10, 3, 7)
    assert balanced(accounts)
    assert numbers(spool) == [4, 5, 6, 7, 8, 9, 10]
    spool.close()


def test_it_is_given_up_after_a_restart_too_and_stays_so(tmp_path: Path, clock: Clock) -> None:
    spool = opened(tmp_path)
    spool.append([entry(1), entry(2)])
    spool.close()
    clock.reboots(NOW + 5 * DAY)
    spool = opened(tmp_path)
    spool.append([entry(3)])
    assert spool.give_up_older(KEEP) == 0
    clock.passes(3 * DAY)
    assert spool.give_up_older(KEEP) == 2
    before = spool.accounts()
    # As after a power cut, and in good order.
    for folder in (copied(tmp_path / "spool", tmp_path / "cut"), tmp_path / "spool"):
        if folder == tmp_path / "spool":
            spool.close()
        again = Spool(folder, max_bytes=1 << 20)
        accounts = again.accounts()
        assert (accounts.taken, accounts.given_up, accounts.held) == (3, 2, 1)
        assert accounts.taken == before.taken
        assert numbers(again) == [3]
        again.close()


@pytest.mark.parametrize(
    ("taken_at", "opened_at"),
    [
        pytest.param(100.0, NOW, id="taken before the clock was set"),
        pytest.param(NOW, 30.0, id="opened before the clock is set"),
        pytest.param(NOW, NOW - DAY, id="set back"),
        pytest.param(NOW, NOW + 70 * 365 * DAY, id="far in the future"),
    ],
)
def test_a_wrong_clock_throws_nothing_away(
    taken_at: float, opened_at: float, tmp_path: Path, clock: Clock
) -> None:
    clock.wall = taken_at
    spool = opened(tmp_path)
    spool.append([entry(1)])
    clock.wall = NOW + 300 * DAY  # within a run it may jump as it likes
    assert spool.give_up_older(KEEP) == 0
    clock.wall = taken_at
    spool.close()
    clock.reboots(opened_at)
    spool = opened(tmp_path)
    assert spool.give_up_older(KEEP) == 0
    clock.wall = NOW + 300 * DAY
    assert spool.give_up_older(KEEP) == 0
    clock.passes(KEEP + 1)  # it has been here for so long at the least
    assert spool.give_up_older(KEEP) == 1
    spool.close()


def test_one_of_a_wrong_clock_does_not_keep_those_of_later_runs(tmp_path: Path, clock: Clock) -> None:
    for number, wall in enumerate((100.0, NOW), 1):
        clock.reboots(wall)
        spool = opened(tmp_path)
        spool.append([entry(number)])
        spool.close()
    clock.reboots(NOW + 8 * DAY)
    spool = opened(tmp_path)
    assert spool.give_up_older(KEEP) == 1
    assert numbers(spool) == [1]
    spool.close()


def test_what_is_on_its_way_stays(tmp_path: Path, clock: Clock) -> None:
    spool = opened(tmp_path)
    spool.append([entry(1), entry(2)])
    record = spool.next("oldest")
    assert record is not None
    clock.passes(8 * DAY)
    assert spool.give_up_older(KEEP) == 1
    assert spool.accounts().held == 1
    spool.give_back(record.ticket)
    assert spool.give_up_older(KEEP) == 1
    assert spool.accounts().given_up == 2
    spool.close()


@pytest.mark.parametrize("with_young", [True, False])
def test_its_bytes_leave_the_disk(tmp_path: Path, clock: Clock, *, with_young: bool) -> None:
    spool = opened(tmp_path)
    if not folder_can_punch(tmp_path):
        pytest.skip("this file system gives nothing back inside a file")
    face = secrets.token_bytes(16_384)
    spool.append([Entry((face,), 1)])
    clock.passes(4 * DAY)
    if with_young:
        spool.append([entry(2, 9_000)])
    assert face[6_000:10_000] in on_disk(tmp_path / "spool")
    clock.passes(4 * DAY)
    assert spool.give_up_older(KEEP) == 1
    # Of the blocks at its ends, which it shares with its neighbours, the rest may be left.
    assert face[6_000:6_100] not in on_disk(tmp_path / "spool")
    assert numbers(spool) == [2] * with_young
    spool.close()


def test_who_writes_is_not_waited_for(tmp_path: Path, clock: Clock) -> None:
    spool = opened(tmp_path)
    face = secrets.token_bytes(16_384)
    spool.append([Entry((face,), 1)])
    clock.passes(8 * DAY)
    with spool._writing:
        assert spool.give_up_older(KEEP) == 1
    assert spool.give_up_older(KEEP) == 0
    assert face[6_000:6_100] not in on_disk(tmp_path / "spool")
    spool.close()


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
