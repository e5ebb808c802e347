"""A disk that is really full, on a small file system of its own: nothing that was acknowledged is lost."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from facefleet.custody.entry import Fate, Kept
from facefleet.custody.errors import SpoolError
from facefleet.custody.spool import Spool, WhenFull

from tests.unit.custody.folders import balanced, copied, drained, entry, fill, segments

BOUND = 64 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def numbers(spool: Spool) -> list[int]:
    return [int(record.body.split(b":")[0]) for record in drained(spool)]


@pytest.mark.parametrize("batch", [1, 7])
def test_reject_refuses_and_takes_again_when_there_is_room(
    small_disk: Path, tmp_path: Path, batch: int
) -> None:
    spool = Spool(small_disk / "spool", max_bytes=BOUND, segment_bytes=100_000)
    kept: list[int] = []
    for start in range(1, 100, batch):
        fates = spool.append([entry(number, 20_000) for number in range(start, start + batch)])
        kept += [number for number, became in enumerate(fates, start) if became is Kept.KEPT]
        assert set(fates) <= {Kept.KEPT, Kept.REFUSED}
    assert 30 < len(kept) < 53
    crashed = copied(small_disk / "spool", tmp_path / "crashed")
    records = drained(spool)
    assert [int(record.body.split(b":")[0]) for record in records] == kept
    # Releases and the removal of segments need no room.
    for record in records[:20]:
        assert spool.release(record.ticket)
    assert spool.append([entry(number, 20_000) for number in range(201, 210)]) == [Kept.KEPT] * 9
    accounts = spool.accounts()
    assert balanced(accounts)
    assert (accounts.held, accounts.handed_on, accounts.given_up) == (len(kept) - 11, 20, 0)
    spool.close()
    for folder, held in ((small_disk / "spool", [*kept[20:], *range(201, 210)]), (crashed, kept)):
        spool = Spool(folder, max_bytes=BOUND)
        assert numbers(spool) == held
        assert spool.accounts().damaged == 0
        spool.close()


def test_drop_oldest_goes_on(small_disk: Path, tmp_path: Path) -> None:
    spool = Spool(small_disk / "spool", max_bytes=BOUND, when_full="drop_oldest", segment_bytes=100_000)
    flying = []
    for number in range(1, 200):
        assert spool.append([entry(number, 20_000)]) == [Kept.KEPT]
        if number == 3:
            flying.append(spool.next("oldest"))
    accounts = spool.accounts()
    assert balanced(accounts)
    assert accounts.given_up > 100
    crashed = copied(small_disk / "spool", tmp_path / "crashed")
    spool.close()
    spool = Spool(crashed, max_bytes=BOUND)
    assert spool.accounts().given_up == accounts.given_up
    # The one that was out when the disk became full, and the newest without a gap.
    assert numbers(spool) == [1, *range(201 - accounts.held, 200)]
    spool.close()


def test_drop_lowest_score_goes_on(small_disk: Path) -> None:
    spool = Spool(small_disk / "spool", max_bytes=BOUND, when_full="drop_lowest_score", segment_bytes=100_000)
    scores = {number: number * 37 % 199 / 199 for number in range(1, 200)}
    fates = [spool.append([entry(number, 20_000, score)])[0] for number, score in scores.items()]
    assert set(fates) == {Kept.KEPT, Kept.GIVEN_UP}
    accounts = spool.accounts()
    assert balanced(accounts)
    assert accounts.taken == 199
    held = numbers(spool)
    best = sorted(scores, key=lambda number: -scores[number])
    assert held == sorted(best[: accounts.held])
    assert accounts.held > 33
    spool.close()


@pytest.mark.parametrize("when_full", ["reject", "drop_oldest", "drop_lowest_score"])
def test_a_disk_filled_by_others(small_disk: Path, when_full: WhenFull) -> None:
    spool = Spool(small_disk / "spool", max_bytes=BOUND, when_full=when_full)
    assert spool.append([entry(number, 20_000) for number in range(1, 11)]) == [Kept.KEPT] * 10
    hog = small_disk / "hog"
    fill(hog)
    fates = spool.append([entry(number, 20_000, 0.9) for number in range(11, 15)])
    if when_full == "reject":
        assert fates == [Kept.REFUSED] * 4
    else:
        assert fates == [Kept.KEPT] * 4
        assert 4 <= spool.accounts().given_up <= 6
    record = spool.next("newest")
    assert record is not None
    assert spool.release(record.ticket)
    hog.unlink()
    assert spool.append([entry(number, 20_000) for number in range(21, 31)]) == [Kept.KEPT] * 10
    assert balanced(spool.accounts())
    spool.close()


def test_a_fresh_folder_on_a_full_disk_refuses_until_there_is_room(small_disk: Path) -> None:
    hog = small_disk / "hog"
    fill(hog)
    spool = Spool(small_disk / "spool", max_bytes=BOUND, when_full="drop_oldest")
    assert spool.append([entry(1)]) == [Kept.REFUSED]
    hog.unlink()
    assert spool.append([entry(1)]) == [Kept.KEPT]
    spool.close()


def test_after_a_failed_sync_the_segment_is_not_trusted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=1 << 20)
    spool.append([entry(1)])
    size = segments(folder)[0].stat().st_size
    sync = os.fdatasync

    def fail(fd: int) -> None:
        sync(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(SpoolError, match=r"\.seg cannot be written: Input/output error: check the disk"):
        spool.append([entry(2)])
    monkeypatch.undo()
    assert segments(folder)[0].stat().st_size == size
    assert spool.append([entry(2)]) == [Kept.KEPT]
    assert len(segments(folder)) == 2
    crashed = copied(folder, tmp_path / "crashed")
    for one in (spool, Spool(crashed, max_bytes=1 << 20)):
        accounts = one.accounts()
        assert (accounts.taken, accounts.held, accounts.damaged, accounts.torn) == (2, 2, 0, 0)
        assert numbers(one) == [1, 2]
        one.close()


def test_a_release_that_cannot_be_written_is_a_resend_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.append([entry(1), entry(2)])
    record = spool.next("oldest")
    assert record is not None

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", fail)
    assert spool.release(record.ticket, Fate.REJECTED)
    monkeypatch.undo()
    assert (spool.accounts().rejected, spool.accounts().held) == (1, 1)
    spool.close()
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    assert (spool.accounts().rejected, spool.accounts().held) == (0, 2)
    assert balanced(spool.accounts())
    spool.close()
