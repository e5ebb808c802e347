"""Group commit: batches by size and by time, told after they are on disk."""

import threading
import time
from pathlib import Path

import pytest
from facefleet.custody.committer import Committer
from facefleet.custody.entry import Kept
from facefleet.custody.errors import SpoolError
from facefleet.custody.spool import Spool

from tests.unit.custody.folders import entry

Told = list[list[tuple[int, Kept]]]


def until(told: Told, count: int) -> None:
    end = time.monotonic() + 10
    while sum(map(len, told)) < count and time.monotonic() < end:
        time.sleep(0.001)
    assert sum(map(len, told)) == count


def test_a_batch_is_full(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    told: Told = []
    committer = Committer(spool, told.append, batch_most=4, batch_s=60)
    for number in range(1, 9):
        committer.offer(number, entry(number))
    until(told, 8)
    assert told == [
        [(number, Kept.KEPT) for number in (1, 2, 3, 4)],
        [(number, Kept.KEPT) for number in (5, 6, 7, 8)],
    ]
    committer.close()
    spool.close()


def test_time_is_up(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    told: Told = []
    committer = Committer(spool, told.append, batch_most=100, batch_s=0.05)
    start = time.monotonic()
    for number in range(1, 4):
        committer.offer(number, entry(number))
    until(told, 3)
    assert 0.05 <= time.monotonic() - start < 5
    assert len(told) == 1
    committer.close()
    spool.close()


def test_close_commits_what_was_offered(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    told: Told = []
    committer = Committer(spool, told.append, batch_most=2, batch_s=60)
    for number in range(1, 6):
        committer.offer(number, entry(number))
    committer.close()
    assert [len(batch) for batch in told] == [2, 2, 1]
    assert spool.accounts().held == 5
    with pytest.raises(RuntimeError, match="the committer is closed"):
        committer.offer(6, entry(6))
    spool.close()


def test_many_threads_offer(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=16 << 20)
    told: Told = []

    def tell(batch: list[tuple[int, Kept]]) -> None:
        # What is told is on disk already.
        assert spool.accounts().taken >= sum(map(len, told)) + len(batch)
        told.append(batch)

    committer = Committer(spool, tell)

    def offer(first: int) -> None:
        for number in range(first, first + 300):
            committer.offer(number, entry(number))

    threads = [threading.Thread(target=offer, args=(at * 300 + 1,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committer.close()
    all_told = [token for batch in told for token, became in batch if became is Kept.KEPT]
    assert sorted(all_told) == list(range(1, 2401))
    assert max(map(len, told)) <= 64
    for first in range(1, 2401, 300):
        mine = [token for token in all_told if first <= token < first + 300]
        assert mine == sorted(mine)
    spool.close()


def test_a_spool_that_fails_ends_the_thread_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    caught: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    committer: Committer[int] = Committer(spool, lambda _: None)
    spool.close()
    committer.offer(1, entry(1))
    committer.close()
    assert [args.exc_type for args in caught] == [SpoolError]
