"""What a backlog costs in memory: 13 bytes a record, and the keys taken last."""

import tracemalloc
from pathlib import Path

from facefleet.custody.entry import Entry
from facefleet.custody.spool import Spool

COUNT = 200_000
BATCH = 5000
MOST = 8 << 20


def test_two_hundred_thousand_records(tmp_path: Path) -> None:
    entries = [Entry((b"x",), number) for number in range(COUNT)]
    spool = Spool(tmp_path / "spool", max_bytes=1 << 30)
    tracemalloc.start()
    try:
        for start in range(0, COUNT, BATCH):
            spool.append(entries[start : start + BATCH])
        written, _ = tracemalloc.get_traced_memory()
        spool.close()
        del spool
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        spool = Spool(tmp_path / "spool", max_bytes=1 << 30)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spool.waiting == COUNT
    assert written < MOST
    assert held - before < MOST
    assert peak - before < 2 * MOST
    spool.close()
