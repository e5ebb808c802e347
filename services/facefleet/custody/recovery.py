"""What a segment file holds, whatever happened to it: a walk from header to header over what is not one."""

import os
import zlib
from array import array
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from facefleet.custody.layout import (
    FOOTER_SIZE,
    HEADER_SIZE,
    NO_COUNT,
    RECORD_MAGIC,
    RECORD_SIZE,
    RecordHeader,
    decode_footer,
    decode_record,
)
from facefleet.custody.recent import MOST

_FEW = 4096
_MANY = 1 << 18
_SMALL_BODY = 2048


class Gap(NamedTuple):
    """Bytes that are no record, and the numbers of the records that were there."""

    start: int
    stop: int
    first: int
    end: int


@dataclass(slots=True)
class Survey:
    """What was found, in order; a number without a record has the length 0."""

    offsets: "array[int]" = field(default_factory=lambda: array("I"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    scores: "array[float]" = field(default_factory=lambda: array("f"))
    keys: deque[int] = field(default_factory=lambda: deque(maxlen=MOST))
    gaps: list[Gap] = field(default_factory=list)
    """Damaged, or dead and their space given back: the release file knows."""
    sealed: bool = False
    end: int = HEADER_SIZE
    """Where the records end."""
    tail: int = 0
    """Bytes behind the last record that are none."""
    torn: bool = False
    """They are the beginning of a write that was not finished, as far as one can tell."""
    last_batch: int = 0
    """Every number before this one was committed."""


def survey(fd: int, serial: int, known_count: int = NO_COUNT, *, recycled: bool = False) -> Survey:
    """Walk a segment file; bodies are checked only where it was not closed in good order. Changes nothing.

    Args:
        fd: the file.
        serial: its serial.
        known_count: how many records it must have according to the segment that followed, or NO_COUNT.
        recycled: what lies behind the last record may be of another segment.
    """
    return _Walk(fd, serial, recycled=recycled).survey(known_count)


class _Walk:
    def __init__(self, fd: int, serial: int, *, recycled: bool) -> None:
        self._recycled = recycled
        self._fd = fd
        self._serial = serial
        self._size = os.fstat(fd).st_size
        self._window = b""
        self._window_at = 0

    def survey(self, known_count: int) -> Survey:
        found = Survey()
        count = known_count
        end = self._size
        footer = decode_footer(self._read(max(0, end - FOOTER_SIZE), FOOTER_SIZE), self._serial)
        if footer is not None and footer.end == end - FOOTER_SIZE:
            found.sealed = True
            count, end = footer
        offset = HEADER_SIZE
        while offset < end:
            header = self._header(offset, found)
            # A body that ends behind the end: the length may be right and the rest missing.
            whole = header is not None and offset + RECORD_SIZE + header.length <= end
            if header is not None and whole and header.number == len(found.offsets):
                stop = offset + RECORD_SIZE + header.length
                if found.sealed or self._body_is_good(offset + RECORD_SIZE, header):
                    _note(found, offset, header)
                else:
                    found.gaps.append(Gap(offset, stop, header.number, header.number + 1))
                    _skip(found, offset, 1)
                    # Whatever became of its own batch, those before were committed.
                    found.last_batch = header.batch
                offset = found.end = stop
                continue
            after = self._resync(offset, end, len(found.offsets))
            if after is None:
                break
            stop, index = after
            found.gaps.append(Gap(offset, stop, len(found.offsets), index))
            _skip(found, offset, index - len(found.offsets))
            offset = found.end = stop
        self._close(found, count, end)
        return found

    def _close(self, found: Survey, count: int, end: int) -> None:
        """Decide what the bytes behind the last record are."""
        missing = 0 if count == NO_COUNT else max(0, count - len(found.offsets))
        if missing:
            # Every one of them had been committed: this is no torn tail.
            found.gaps.append(Gap(found.end, end, len(found.offsets), count))
            _skip(found, found.end, missing)
            found.end = max(end, HEADER_SIZE)
            found.last_batch = count
        elif found.sealed:
            found.end = end
            found.last_batch = count
        else:
            if count != NO_COUNT:
                found.last_batch = len(found.offsets)
            _trim_torn(found)
            found.tail = max(0, end - found.end)
            found.torn = found.tail > 0 and not (self._recycled and self._is_of_another(found.end))

    def _is_of_another(self, offset: int) -> bool:
        """Say whether nothing at the end of the records is of this segment, or only its footer."""
        footer = decode_footer(self._read(offset, FOOTER_SIZE), self._serial)
        return footer is not None or decode_record(self._read(offset, RECORD_SIZE), self._serial) is None

    def _header(self, offset: int, found: Survey) -> RecordHeader | None:
        at = offset - self._window_at
        if at < 0 or at + RECORD_SIZE > len(self._window):
            small = found.lengths[-1] < _SMALL_BODY if found.lengths else True
            self._fill(offset, _MANY if small else RECORD_SIZE)
            at = 0
        return decode_record(self._window, self._serial, at)

    def _body_is_good(self, offset: int, header: RecordHeader) -> bool:
        return zlib.crc32(self._read(offset, header.length)) == header.crc

    def _resync(self, start: int, end: int, index: int) -> tuple[int, int] | None:
        """Find the next record from an offset on that can come after this number: its offset and number."""
        offset = start
        while offset + RECORD_SIZE <= end:
            try:
                # Space given back inside the file reads as zeros: no need to read it.
                offset = max(offset, os.lseek(self._fd, offset, os.SEEK_DATA))
            except OSError:
                return None
            self._fill(offset, _MANY)
            at = self._window.find(RECORD_MAGIC)
            while at >= 0:
                place = offset + at
                header = decode_record(self._read(place, RECORD_SIZE), self._serial)
                if (
                    header is not None
                    and place + RECORD_SIZE + header.length <= end
                    and index <= header.number <= index + (place - start) // RECORD_SIZE
                ):
                    return place, header.number
                at = self._window.find(RECORD_MAGIC, at + 1)
            if len(self._window) < _MANY:
                return None
            offset += len(self._window) - len(RECORD_MAGIC) + 1
        return None

    def _fill(self, offset: int, size: int) -> None:
        self._window_at = offset
        self._window = self._read(offset, size)

    def _read(self, offset: int, size: int) -> bytes:
        """Read bytes; a disk that cannot read them gives zeros, which are damage like any other."""
        try:
            return os.pread(self._fd, size, offset)
        except OSError:
            pieces = []
            for at in range(offset, min(offset + size, self._size), _FEW):
                few = min(_FEW, offset + size - at)
                try:
                    pieces.append(os.pread(self._fd, few, at))
                except OSError:
                    pieces.append(bytes(few))
            return b"".join(pieces)


def _note(found: Survey, offset: int, header: RecordHeader) -> None:
    found.offsets.append(offset)
    found.lengths.append(header.length)
    found.scores.append(header.score)
    found.keys.append(header.key)
    found.last_batch = header.batch


def _skip(found: Survey, offset: int, count: int) -> None:
    found.offsets.extend([offset] * count)
    found.lengths.extend([0] * count)
    found.scores.extend([0.0] * count)


def _trim_torn(found: Survey) -> None:
    """Leave to the tail what lies before it and was not committed: nobody was told of those numbers."""
    while (
        found.gaps and found.gaps[-1].end == len(found.offsets) and found.gaps[-1].first >= found.last_batch
    ):
        gap = found.gaps.pop()
        found.end = gap.start
        del found.offsets[gap.first :], found.lengths[gap.first :], found.scores[gap.first :]
