"""The segment that is being written: a batch is one write, one fdatasync, and then it is there."""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facefleet.custody.ages import now_ms
from facefleet.custody.backlog import Backlog
from facefleet.custody.entry import Entry
from facefleet.custody.errors import SpoolError
from facefleet.custody.handles import Handle
from facefleet.custody.layout import (
    FOOTER_SIZE,
    HEADER_SIZE,
    MOST_ELAPSED_MS,
    NO_COUNT,
    VERSION,
    Footer,
    SegmentHeader,
    body_crc,
    encode_footer,
    encode_header,
    encode_record,
)
from facefleet.custody.segment import Segment
from facefleet.custody.space import DISK_FULL, Budget, begin_writing_out, on_disk, sync_folder, write_all
from facefleet.custody.spares import Spares
from facefleet.runtime import logs

WORN = 4
"""A segment is worn once one part in so many of its space was used."""

EARLY_BYTES = 512 * 1024

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL

_log = logs.get("custody")


@dataclass(slots=True)
class Newcomer:
    """An entry on its way in."""

    position: int
    """Its place in the batch that was given."""
    entry: Entry
    key: int
    score: float
    length: int
    """Bytes of the body."""
    size: int
    """Bytes of its record."""


class Writer:
    """Appends to one segment after the other. One thread at a time."""

    def __init__(
        self,
        folder: Path,
        backlog: Backlog,
        budget: Budget,
        spares: Spares,
        *,
        segment_bytes: int,
        next_serial: int,
        stamp: Callable[[], int],
    ) -> None:
        """`stamp` tells the wall clock of a record, 0 while it is not known to be right."""
        self._stamp = stamp
        self._folder = folder
        self._backlog = backlog
        self._budget = budget
        self._spares = spares
        self._segment_bytes = segment_bytes
        self._next_serial = next_serial
        self.active: Segment | None = None
        self._data: Handle | None = None
        self._marks: Handle | None = None
        self._folder_disk = on_disk(folder)
        self._change = 0
        """Bytes on disk that came since the budget was corrected last."""

    def has_room(self, size: int) -> bool:
        """Say whether so many bytes of records go into the active segment; one without records takes any."""
        if self.active is None or not self.active.count:
            return HEADER_SIZE + size + FOOTER_SIZE <= self._segment_bytes
        return self.active.size + size + FOOTER_SIZE <= self._segment_bytes

    def is_worn(self) -> bool:
        """Say whether the active segment is so large that it is worth a new one once it is empty."""
        return self.active is not None and self.active.size > self._segment_bytes // WORN

    def growth(self, count: int, size: int) -> int:
        """Return the bytes on disk that so many records of so many bytes would take."""
        up = self._budget.up
        if self.active is None:
            more = max(0, up(HEADER_SIZE + size) - up(self._spares.next_size))
            return more + up(count) + self._budget.block
        end = self.active.size or HEADER_SIZE
        marks = max(0, up(self.active.count + count) - self.active.marks_disk)
        return max(0, up(end + size) - up(max(self.active.size, self.active.ready))) + marks

    def commit(self, newcomers: Sequence[Newcomer]) -> bool:
        """Write records, durably, and make them visible; False when there is no room on the disk.

        Raises:
            SpoolError: the disk fails. None of these records was taken.
        """
        growth = self.growth(len(newcomers), sum(newcomer.size for newcomer in newcomers))
        if not self._budget.reserve(growth):
            return False
        try:
            self._write(newcomers)
        except OSError as error:
            if error.errno in DISK_FULL:
                return False
            failed = self.active.path if self.active else str(self._folder)
            self._abandon()
            raise SpoolError(f"{failed} cannot be written: {error.strerror}: check the disk") from error
        finally:
            self._budget.adjust(self._change - growth)
            self._change = 0
        return True

    def rotate(self, *, durably: bool = False) -> None:
        """Close the active segment in good order; the next batch begins a new one.

        Raises:
            SpoolError: it was to be durable, and the disk fails.
        """
        segment, data = self.active, self._data
        if segment is None or data is None:
            return
        if not segment.size:
            self._remove(segment)
            self._budget.adjust(self._change)
            self._change = 0
        else:
            # Of one in which nothing is held the ledger takes over the sums: it need not look good.
            if segment.held or durably:
                self._write_footer(segment, data, durably=durably)
            self._backlog.seal(segment)
        self._let_go()

    def _write_footer(self, segment: Segment, data: Handle, *, durably: bool) -> None:
        # Without one the next open reads the bodies, too: that is all. So it may go without a sync.
        footer = encode_footer(Footer(segment.count, segment.size), segment.serial)
        up = self._budget.up
        need = max(0, up(segment.size + FOOTER_SIZE) - up(max(segment.size, segment.ready)))
        if not self._budget.reserve(need, margin=False):
            return
        try:
            os.pwrite(data.fd, footer, segment.size)
            if segment.ready > segment.size + FOOTER_SIZE:
                os.ftruncate(data.fd, segment.size + FOOTER_SIZE)
            if durably:
                os.fdatasync(data.fd)
        except OSError as error:
            self._cut(segment, data)
            if error.errno not in DISK_FULL:
                raise SpoolError(
                    f"{segment.path} cannot be closed: {error.strerror}: check the disk"
                ) from error
        finally:
            self._measure(segment, data)
            self._budget.adjust(self._change - need)
            self._change = 0

    def give_back_ready(self) -> None:
        """Give back the blocks of the active segment in which nothing is yet."""
        segment, data = self.active, self._data
        if segment is not None and data is not None and segment.ready > segment.size:
            self._cut(segment, data)
            self._budget.adjust(self._change)
            self._change = 0

    def _measure(self, segment: Segment, data: Handle, marks: Handle | None = None) -> None:
        before = segment.disk
        segment.data_disk = on_disk(data.fd)
        if marks is not None:
            segment.marks_disk = on_disk(marks.fd)
            folder = on_disk(self._folder)
            self._change += folder - self._folder_disk
            self._folder_disk = folder
        self._change += segment.disk - before

    def _begin(self) -> tuple[Segment, Handle, Handle]:
        if self.active is not None and self._data is not None and self._marks is not None:
            return self.active, self._data, self._marks
        segment = Segment(self._folder, self._next_serial, secrets.randbits(64), time.monotonic())
        try:
            with self._backlog.lock:
                spare = self._spares.take(Path(segment.path))
                if spare is not None:
                    segment.ready, segment.data_disk = spare.size, spare.disk
                self._data = self._backlog.handles.add(segment.path, _NEW if spare is None else os.O_RDWR)
                self._marks = self._backlog.handles.add(segment.marks_path, _NEW)
        except OSError:
            self._remove(segment)
            self._let_go()
            raise
        self.active = segment
        self._next_serial += 1
        return segment, self._data, self._marks

    def _write(self, newcomers: Sequence[Newcomer]) -> None:
        segment, data, marks = self._begin()
        new = not segment.size
        try:
            # Room in the release file comes first: so no release can fail for want of it.
            if segment.count + len(newcomers) > segment.marks_disk:
                os.posix_fallocate(marks.fd, 0, self._budget.up(segment.count + len(newcomers)))
                self._measure(segment, data, marks)
            places, end = self._write_records(segment, data, newcomers)
            os.fdatasync(data.fd)
            if new:
                sync_folder(self._folder)
        except BaseException:
            self._cut(segment, data)
            raise
        self._measure(segment, data)
        if new:
            segment.size = HEADER_SIZE
            self._backlog.add(segment)
        self._backlog.publish(segment, places, end, [newcomer.entry.parts for newcomer in newcomers])

    def _write_records(
        self, segment: Segment, data: Handle, newcomers: Sequence[Newcomer]
    ) -> tuple[list[tuple[int, int, float]], int]:
        """Write, and return where the records lie (offset, bytes of the body, score) and where they end."""
        places: list[tuple[int, int, float]] = []
        buffers: list[bytes | memoryview] = []
        written = offset = segment.size
        if not segment.size:
            buffers.append(self._header(segment))
            offset = HEADER_SIZE
        elapsed = min(int((time.monotonic() - (segment.born or 0.0)) * 1000), MOST_ELAPSED_MS)
        stamp = self._stamp()
        batch = segment.count
        for number, newcomer in enumerate(newcomers, batch):
            parts = newcomer.entry.parts
            length, crc = newcomer.length, body_crc(parts)
            header = (length, crc, number, batch, elapsed, newcomer.score, newcomer.key, stamp)
            buffers.append(encode_record(header, segment.serial))
            buffers.extend(parts)
            places.append((offset, length, newcomer.score))
            offset += newcomer.size
            if offset - written >= EARLY_BYTES:
                # The disk is busy with these while the checksums of the next are worked out.
                write_all(data.fd, buffers, written)
                begin_writing_out(data.fd, written, offset - written)
                written = offset
                buffers.clear()
        return places, write_all(data.fd, buffers, written)

    def _header(self, segment: Segment) -> bytes:
        before = self._backlog.segments.get(segment.serial - 1)
        return encode_header(
            SegmentHeader(
                VERSION,
                NO_COUNT if before is None else before.count,
                segment.id,
                segment.serial,
                now_ms(),
                recycled=segment.ready > 0,
            )
        )

    def _cut(self, segment: Segment, data: Handle) -> None:
        """Take back what was not committed."""
        try:
            os.ftruncate(data.fd, segment.size)
            segment.ready = 0
        except OSError as error:
            # Then this tail may come back after a restart, as records that are sent twice: harmless.
            _log.warning("an unfinished write could not be cut off", file=segment.path, reason=error.strerror)
        self._measure(segment, data)

    def _abandon(self) -> None:
        """Never write to this segment again: after a failed sync nobody knows what is on disk."""
        if self.active is None:
            return
        if self.active.size:
            self._backlog.seal(self.active)
        else:
            self._remove(self.active)
        self._let_go()

    def _remove(self, segment: Segment) -> None:
        with self._backlog.lock:
            self._backlog.handles.forget(segment.path)
            self._backlog.handles.forget(segment.marks_path)
        for path in (segment.path, segment.marks_path):
            Path(path).unlink(missing_ok=True)
        self._change -= segment.disk
        segment.data_disk = segment.marks_disk = 0

    def _let_go(self) -> None:
        self.active = self._data = self._marks = None
