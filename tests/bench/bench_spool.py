"""`python -m tests.bench.bench_spool`: the spool against SQLite (WAL, synchronous=FULL), by turns.

An append is durable before the next one begins, on both sides. To drain is to read each record and to delete
it; for that SQLite may use synchronous=NORMAL, and delete as many at once as were appended at once: all that
a crash can do is to bring a deleted record back, and the spool promises no more.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from facefleet.custody.entry import Entry
from facefleet.custody.spool import Spool

from tests.bench.measure import device_bytes, written_bytes
from tests.bench.table import Row, Target, render

BODY_BYTES = 20_000
BATCHES = (1, 20, 100)
RECORDS = {1: 2000, 20: 10_000, 100: 10_000}
ROUNDS = 3
BOUND = 1 << 30
BODIES = 64
SLICES = 20
WARM_SLICES = 4
WEIGHED = 4000
AGAINST = "sqlite WAL FULL"


class Store(Protocol):
    """What is compared."""

    def append(self, batch: list[tuple[int, bytes]]) -> None: ...

    def drain(self, at_once: int, most: int) -> None: ...

    def close(self) -> None: ...


class SpoolStore:
    """Ours."""

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder, max_bytes=BOUND)

    def append(self, batch: list[tuple[int, bytes]]) -> None:
        self._spool.append([Entry((body,), key) for key, body in batch])

    def drain(self, at_once: int, most: int) -> None:
        """Read and release; a release is one by one, as receipts come."""
        del at_once
        for _ in range(most):
            record = self._spool.next("oldest")
            assert record is not None
            self._spool.release(record.ticket)

    def close(self) -> None:
        self._spool.close()


class SqliteStore:
    """What an expert would use instead."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._connection = sqlite3.connect(folder / "queue.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE queue (id INTEGER PRIMARY KEY, key INTEGER, body BLOB)")

    def append(self, batch: list[tuple[int, bytes]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO queue (key, body) VALUES (?, ?)", batch)
        self._connection.execute("COMMIT")

    def drain(self, at_once: int, most: int) -> None:
        self._connection.execute("PRAGMA synchronous=NORMAL")
        for _ in range(0, most, at_once):
            rows = self._connection.execute(
                "SELECT id, body FROM queue ORDER BY id LIMIT ?", (at_once,)
            ).fetchall()
            assert len(rows) == at_once
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM queue WHERE id = ?", [(row[0],) for row in rows])
            self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA synchronous=FULL")

    def close(self) -> None:
        self._connection.close()


@dataclass(slots=True)
class Figures:
    """What one side did in each round."""

    append: list[float] = field(default_factory=list)
    """Records a second."""
    steady: list[float] = field(default_factory=list)
    """Appended records a second while the queue is kept short, which is how it is nearly always."""
    drain: list[float] = field(default_factory=list)
    append_cpu: list[float] = field(default_factory=list)
    """Processor microseconds a record."""
    drain_cpu: list[float] = field(default_factory=list)
    process_writes: list[float] = field(default_factory=list)
    """Bytes written for each byte of payload, as the kernel counts them for this process."""
    device_writes: list[float] = field(default_factory=list)
    """The same for the whole device, whoever wrote."""


Sides = dict[Callable[[Path], Store], Figures]


@dataclass(slots=True)
class Watch:
    """Adds up wall and processor seconds."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu


def run(*, smoke: bool = False, folder: Path | None = None) -> list[Row]:
    """Compare; `folder` must be on a real disk, and is where the stores lie for a while."""
    bodies = [random.Random(number).randbytes(BODY_BYTES) for number in range(BODIES)]
    rows: list[Row] = []
    for batch in BATCHES:
        count = RECORDS[batch] // (10 if smoke else 1)
        sides: Sides = {SpoolStore: Figures(), SqliteStore: Figures()}
        for _ in range(1 if smoke else ROUNDS):
            _race(sides, folder, bodies, batch, count)
            for kind, figures in sides.items():
                _weigh(kind, figures, folder, bodies, batch)
        rows.extend(_rows(batch, sides[SpoolStore], sides[SqliteStore]))
    return rows


def _race(sides: Sides, folder: Path | None, bodies: list[bytes], batch: int, count: int) -> None:
    """Measure the rates of a backlog that grows and is drained, and those of a queue that is kept short.

    A slice of the work each, in turn, so that both meet the same disk.
    """
    with _stores(sides, folder) as stores:
        appends = {kind: Watch() for kind in sides}
        drains = {kind: Watch() for kind in sides}
        for keys in _slices(batch, count):
            for kind, store in stores.items():
                with appends[kind].running():
                    _append(store, bodies, batch, keys)
        for keys in _slices(batch, count):
            for kind, store in stores.items():
                with drains[kind].running():
                    store.drain(batch, len(keys))
    with _stores(sides, folder) as stores:
        steady = {kind: Watch() for kind in sides}
        for turn, keys in enumerate(_slices(batch, count)):
            for kind, store in stores.items():
                # The first slices bring a store to its ordinary size.
                watch = steady[kind] if turn >= WARM_SLICES else Watch()
                with watch.running():
                    _append(store, bodies, batch, keys)
                store.drain(batch, len(keys))
    for kind, figures in sides.items():
        warm = sum(map(len, _slices(batch, count)[:WARM_SLICES]))
        figures.append.append(count / appends[kind].wall_s)
        figures.append_cpu.append(appends[kind].cpu_s / count * 1e6)
        figures.drain.append(count / drains[kind].wall_s)
        figures.drain_cpu.append(drains[kind].cpu_s / count * 1e6)
        figures.steady.append((count - warm) / steady[kind].wall_s)


def _slices(batch: int, count: int) -> list[range]:
    step = count // SLICES // batch * batch or batch
    return [range(first, first + step) for first in range(0, count, step)]


@contextmanager
def _stores(sides: Sides, folder: Path | None) -> Iterator[dict[Callable[[Path], Store], Store]]:
    with ExitStack() as stack:
        yield {
            kind: stack.enter_context(closing(kind(stack.enter_context(_temporary(folder)) / "store")))
            for kind in sides
        }


def _weigh(
    kind: Callable[[Path], Store], figures: Figures, folder: Path | None, bodies: list[bytes], batch: int
) -> None:
    """Measure what is written to the disk for an append and a drain, each alone on it."""
    with _temporary(folder) as place:
        os.sync()
        process, device = written_bytes(os.getpid()), device_bytes(place)
        with closing(kind(place / "store")) as store:
            _append(store, bodies, batch, range(WEIGHED))
            store.drain(batch, WEIGHED)
        os.sync()
        after = device_bytes(place)
    payload = WEIGHED * BODY_BYTES
    figures.process_writes.append((written_bytes(os.getpid()) - process) / payload)
    if device is not None and after is not None:
        figures.device_writes.append((after - device) / payload)


def _append(store: Store, bodies: list[bytes], batch: int, keys: range) -> None:
    for first in range(keys.start, keys.stop, batch):
        store.append([(key, bodies[key % BODIES]) for key in range(first, first + batch)])


def _rows(batch: int, ours: Figures, theirs: Figures) -> Iterator[Row]:
    def row(what: str, unit: str, mine: list[float], other: list[float], target: Target | None = None) -> Row:
        return Row("spool", f"{what}, batches of {batch}", unit, mine, other, AGAINST, target)

    faster = Target("at least", 2.5) if batch >= 20 else None
    yield row("append, backlog grows", "records/s", ours.append, theirs.append, faster)
    yield row("append, queue is short", "records/s", ours.steady, theirs.steady, faster)
    yield row("append, processor", "us/record", ours.append_cpu, theirs.append_cpu)
    yield row("drain", "records/s", ours.drain, theirs.drain)
    yield row("drain, processor", "us/record", ours.drain_cpu, theirs.drain_cpu)
    lean = Target("at most", 1.1) if batch == 20 else None
    for where, mine, other in (
        ("by the process", ours.process_writes, theirs.process_writes),
        ("to the device", ours.device_writes, theirs.device_writes),
    ):
        if mine:
            what = f"written {where}, batches of {batch}"
            yield Row("spool", what, "bytes/byte", mine, target=lean)
            yield Row("spool", f"{what}: {AGAINST}", "bytes/byte", other)


@contextmanager
def _temporary(folder: Path | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="bench-spool-", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.bench_spool", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures into this file")
    parser.add_argument("--folder", type=Path, help="where the stores lie; a folder on a real disk")
    parser.add_argument("--smoke", action="store_true", help="a tenth of the load; the figures say nothing")
    options = parser.parse_args(None if arguments is None else list(arguments))
    rows = run(smoke=options.smoke, folder=options.folder)
    sys.stdout.write(render(rows, smoke=options.smoke) + "\n")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
