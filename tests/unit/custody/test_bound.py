"""The bound in bytes, and who goes when it is reached."""

import os
import random
from pathlib import Path

import pytest
from facefleet.custody import room, spool
from facefleet.custody.entry import Kept
from facefleet.custody.errors import SpoolError
from facefleet.custody.spool import Spool, WhenFull

from tests.unit.custody.folders import balanced, copied, drained, entry, segments, weight

BOUND = 512 * 1024


def numbers(one: Spool) -> list[int]:
    return [int(record.body.split(b":")[0]) for record in drained(one)]


@pytest.mark.parametrize("when_full", ["reject", "drop_oldest", "drop_lowest_score"])
def test_the_bound_holds_at_each_moment(
    when_full: WhenFull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "spool"
    one = Spool(folder, max_bytes=BOUND, when_full=when_full)
    sync = os.fdatasync
    most = 0

    def weigh_and_sync(fd: int) -> None:
        nonlocal most
        most = max(most, weight(folder))
        sync(fd)
        most = max(most, weight(folder))

    monkeypatch.setattr(os, "fdatasync", weigh_and_sync)
    chance = random.Random(1)
    for start in range(1, 1200, 12):
        batch = [
            entry(start + at, chance.choice([10, 900, 5000, 23_000]), chance.random()) for at in range(12)
        ]
        one.append(batch)
        for _ in range(chance.randrange(8)):
            record = one.next(chance.choice(["oldest", "newest"]))
            if record is not None and chance.random() < 0.8:
                one.release(record.ticket)
    assert balanced(one.accounts())
    assert BOUND // 2 < most <= BOUND
    monkeypatch.undo()
    one.close()


def test_space_comes_back_with_releases_in_any_order(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND)
    number = 0
    chance = random.Random(2)
    for _ in range(30):
        while True:
            number += 1
            if one.append([entry(number, 20_000)]) == [Kept.REFUSED]:
                break
        assert one.accounts().held >= 18
        records = drained(one)
        chance.shuffle(records)
        for record in records[: len(records) // 2]:
            assert one.release(record.ticket)
        for record in records[len(records) // 2 :]:
            one.give_back(record.ticket)
        # Half of it went, in pieces, each of which is whole blocks but at its ends.
        assert one.append([entry(number + at, 20_000) for at in range(1, 7)]) == [Kept.KEPT] * 6
        number += 6
    records = drained(one)
    assert all(one.release(record.ticket) for record in records)
    assert one.accounts().disk_bytes < BOUND // 4
    assert weight(tmp_path / "spool") <= one.accounts().disk_bytes
    one.close()


def test_drop_oldest_gives_up_one_by_one(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND, when_full="drop_oldest")
    for number in range(1, 100):
        before = one.accounts().given_up
        assert one.append([entry(number, 20_000)]) == [Kept.KEPT]
        assert one.accounts().given_up - before <= 2
    held = one.accounts().held
    assert held >= 20
    assert numbers(one) == list(range(100 - held, 100))
    one.close()


def test_what_is_in_flight_is_not_dropped(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND, when_full="drop_oldest")
    one.append([entry(number, 20_000) for number in range(1, 15)])
    flying = [one.next("oldest") for _ in range(12)]
    for number in range(15, 60):
        assert one.append([entry(number, 20_000)]) == [Kept.KEPT]
    for record in flying:
        assert record is not None
        assert one.release(record.ticket)
    assert one.accounts().handed_on == 12
    one.close()


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_lowest_score"])
def test_nothing_that_may_be_dropped_is_a_refusal(when_full: WhenFull, tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND, when_full=when_full)
    fates = []
    for number in range(1, 40):
        fates += one.append([entry(number, 20_000, number / 40)])
        drained(one)
    taken = fates.count(Kept.KEPT)
    assert fates == [Kept.KEPT] * taken + [Kept.REFUSED] * (39 - taken)
    assert one.accounts().given_up == 0
    one.close()


def test_what_can_never_fit_is_given_up_and_counted(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND)
    assert one.append([entry(1, BOUND), entry(2)]) == [Kept.GIVEN_UP, Kept.KEPT]
    crashed = copied(tmp_path / "spool", tmp_path / "crashed")
    one.close()
    one = Spool(crashed, max_bytes=BOUND)
    accounts = one.accounts()
    assert (accounts.taken, accounts.given_up, accounts.held) == (2, 1, 1)
    one.close()


def test_one_larger_than_a_segment_fits(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND)
    assert one.append([entry(1, 300_000), entry(2)]) == [Kept.KEPT, Kept.KEPT]
    assert [len(record.body) for record in drained(one)] == [300_000, 100]
    one.close()


def test_drop_lowest_score_keeps_the_best(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND, when_full="drop_lowest_score")
    scores = {number: number * 71 % 301 / 301 for number in range(1, 301)}
    for start in range(1, 301, 10):
        one.append([entry(number, 20_000, scores[number]) for number in range(start, start + 10)])
    accounts = one.accounts()
    assert balanced(accounts)
    assert accounts.taken == 300
    assert accounts.held >= 18
    best = sorted(scores, key=lambda number: -scores[number])
    assert numbers(one) == sorted(best[: accounts.held])
    one.close()


def test_of_equal_scores_those_stay_that_are_there(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND, when_full="drop_lowest_score")
    fates = [one.append([entry(number, 20_000, 0.1)])[0] for number in range(1, 60)]
    held = one.accounts().held
    assert fates == [Kept.KEPT] * held + [Kept.GIVEN_UP] * (59 - held)
    assert one.append([entry(100, 20_000, 0.11)]) == [Kept.KEPT]
    assert numbers(one) == [*range(2, held + 1), 100] or one.accounts().held == held - 1
    one.close()


def test_where_no_holes_can_be_made_whole_segments_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "punch", lambda *_: False)
    one = Spool(tmp_path / "spool", max_bytes=BOUND, when_full="drop_oldest")
    for number in range(1, 200):
        assert one.append([entry(number, 20_000)]) == [Kept.KEPT]
        assert weight(tmp_path / "spool") <= one.accounts().disk_bytes <= BOUND
    held = one.accounts().held
    assert numbers(one) == list(range(200 - held, 200))
    one.close()
    with pytest.raises(SpoolError, match="which drop_lowest_score needs: use ext4 or XFS, or another policy"):
        Spool(tmp_path / "spool", max_bytes=BOUND, when_full="drop_lowest_score")
    Spool(tmp_path / "spool", max_bytes=BOUND).close()


def test_a_bound_made_smaller_refuses_until_there_is_room(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=BOUND)
    one.append([entry(number, 20_000) for number in range(1, 20)])
    one.close()
    one = Spool(tmp_path / "spool", max_bytes=BOUND // 4)
    assert one.append([entry(100, 20_000)]) == [Kept.REFUSED]
    assert one.accounts().held == 19
    for record in drained(one):
        one.release(record.ticket)
    assert one.append([entry(100, 20_000)]) == [Kept.KEPT]
    one.close()


def test_an_empty_spool_gives_its_space_back_by_itself(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=16 << 20, segment_bytes=1 << 20)
    one.append([entry(number, 20_000) for number in range(1, 200)])
    records = drained(one)
    for record in records[:-1]:
        one.release(record.ticket)
    assert one.accounts().disk_bytes > 500_000
    one.release(records[-1].ticket)
    # Some files are kept to be written over, and the space of none is counted twice or lost.
    assert one.accounts().disk_bytes < (16 << 20) // 16 + 32_768
    assert weight(tmp_path / "spool") <= one.accounts().disk_bytes
    assert segments(tmp_path / "spool") == []
    one.close()


def test_files_are_written_over_while_the_queue_is_short(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    one = Spool(folder, max_bytes=32 << 20, segment_bytes=1 << 20)
    files: set[int] = set()
    for start in range(0, 2000, 20):
        one.append([entry(number, 20_000) for number in range(start, start + 20)])
        files.update(path.stat().st_ino for path in segments(folder))
        for record in drained(one):
            one.release(record.ticket)
        assert weight(folder) <= one.accounts().disk_bytes < 5 << 20
    assert len(files) <= 4
    assert one.accounts().handed_on == 2000
    # All of it counts when there is much to hold.
    kept = one.append([entry(number, 20_000) for number in range(3000, 5000)]).count(Kept.KEPT)
    assert kept * 20_000 > (32 << 20) * 0.93
    assert weight(folder) <= one.accounts().disk_bytes <= 32 << 20
    one.close()
    assert not list(folder.glob("spare*"))


def test_the_least_bound_works(tmp_path: Path) -> None:
    one = Spool(tmp_path / "spool", max_bytes=spool.LEAST_BYTES, when_full="drop_oldest")
    for number in range(1, 50):
        assert one.append([entry(number, 3000)]) == [Kept.KEPT]
    assert one.accounts().held >= 2
    assert weight(tmp_path / "spool") <= spool.LEAST_BYTES
    one.close()
