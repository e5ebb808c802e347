"""A writer, readers and receipts at once."""

import os
import threading
import time
from pathlib import Path

import pytest
from facefleet.custody.backlog import End
from facefleet.custody.entry import Entry, Kept, Record
from facefleet.custody.spool import Spool, WhenFull

from tests.unit.custody.folders import balanced, entry

COUNT = 1500


class Reader(threading.Thread):
    """Takes records out at one end, gives some back, and checks and releases the others."""

    def __init__(self, spool: Spool, end: End, done: threading.Event) -> None:
        super().__init__()
        self.spool = spool
        self.end: End = end
        self.done = done
        self.seen: list[int] = []
        self.sound = False

    def run(self) -> None:
        while True:
            finished = self.done.is_set()
            record = self.spool.next(self.end)
            if record is not None:
                self.look_at(record)
            elif finished:
                break
            else:
                time.sleep(0.0005)
        self.sound = True

    def look_at(self, record: Record) -> None:
        number, _, rest = record.body.partition(b":")
        assert rest.strip(bytes((int(number) % 251,))) == b""
        if len(self.seen) % 7 == 3 and record.age_s < 0.01:
            self.spool.give_back(record.ticket)
            return
        assert self.spool.release(record.ticket)
        assert not self.spool.release(record.ticket)
        self.seen.append(int(number))


@pytest.mark.parametrize("when_full", ["reject", "drop_oldest"])
def test_a_writer_and_two_readers(when_full: WhenFull, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20, when_full=when_full, segment_bytes=50_000)
    done = threading.Event()
    readers = [Reader(spool, "oldest", done), Reader(spool, "newest", done)]
    for reader in readers:
        reader.start()
    numbers = list(range(1, COUNT + 1))
    while numbers:
        batch, numbers = numbers[:20], numbers[20:]
        fates = spool.append([entry(number, 5000) for number in batch])
        numbers = [n for n, became in zip(batch, fates, strict=True) if became is Kept.REFUSED] + numbers
        assert spool.accounts().disk_bytes <= 1 << 20
    done.set()
    for reader in readers:
        reader.join(30)
        assert reader.sound
    accounts = spool.accounts()
    assert balanced(accounts)
    assert accounts.damaged == accounts.held == 0
    seen = readers[0].seen + readers[1].seen
    assert len(seen) == len(set(seen)) == COUNT - accounts.given_up
    spool.close()


def test_a_reader_does_not_wait_for_the_disk_of_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=1 << 20)
    spool.append([entry(1), entry(2)])
    syncing, go_on = threading.Event(), threading.Event()
    sync = os.fdatasync

    def slow(fd: int) -> None:
        syncing.set()
        assert go_on.wait(10)
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    writer = threading.Thread(target=spool.append, args=([entry(3)],))
    writer.start()
    assert syncing.wait(10)
    record = spool.next("newest")
    assert record is not None
    assert record.body.startswith(b"2:")
    assert spool.release(record.ticket)
    assert spool.accounts().held == 1
    assert spool.waiting == 1
    go_on.set()
    writer.join(10)
    assert spool.waiting == 2
    monkeypatch.undo()
    spool.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_segments_need_few_descriptors(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=4 << 20, segment_bytes=2000)
    before = descriptors()
    spool.append([entry(number, 1900) for number in range(1, 151)])
    records = [spool.next("oldest") for _ in range(150)]
    assert len(list((tmp_path / "spool").glob("*.seg"))) == 150
    assert descriptors() - before <= 70
    for record in records:
        assert record is not None
        assert spool.release(record.ticket)
    assert not list((tmp_path / "spool").glob("*.seg"))
    spool.close()
    assert descriptors() < before


def test_a_batch_may_have_any_number_of_pieces(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_bytes=4 << 20)
    pieces = tuple(bytes((at % 251,)) for at in range(3000))
    assert (
        spool.append([Entry(pieces, 1), Entry((), 2), Entry((memoryview(b"ab"), b"c"), 3)]) == [Kept.KEPT] * 3
    )
    assert [record.body for record in iter(lambda: spool.next("oldest"), None) if record] == [
        b"".join(pieces),
        b"",
        b"abc",
    ]
    spool.close()
