"""The format on disk, version 1: how bytes lie in a segment and in a release file.

A segment is a header, records, and a footer when it was closed in good order. All numbers are big endian. A
header has a checksum of its own, so that a walk can tell a record from what only looks like one.

What every version keeps: the first `HEADER.size` bytes of a segment, with their checksum.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

VERSION = 1

WAITING = 0
"""State of a record: may be taken out. Also the byte of a held record in the release file."""
FLYING = 1
"""State of a record that was taken out. In memory only."""
TORN = ord("T")
"""State of a number in the last batch that was never committed: it was not taken."""

NO_COUNT = 0xFFFFFFFF

_SEGMENT_MAGIC = b"FLTSPOOL"
_FOOTER_MAGIC = b"FLTSEALD"
RECORD_MAGIC = b"\xf1FR\x1a"

_HEADER = struct.Struct(">8sHHIQQQ")
_RECORD = struct.Struct(">IIIIIfQQ")
_RECORD_HEAD = struct.Struct(">4sI")
_FOOTER = struct.Struct(">8sIQ")
_CRC = struct.Struct(">I")

HEADER_SIZE = _HEADER.size + _CRC.size
RECORD_SIZE = _RECORD_HEAD.size + _RECORD.size
FOOTER_SIZE = _FOOTER.size + _CRC.size

MOST_ELAPSED_MS = 0xFFFFFFFF
KEY_MASK = 0xFFFFFFFFFFFFFFFF


class SegmentHeader(NamedTuple):
    """The first bytes of a segment."""

    version: int
    before: int
    """How many records the segment with the serial before had when this one was begun, or NO_COUNT."""
    id: int
    serial: int
    created_ms: int
    """Wall clock, milliseconds since 1970."""
    recycled: bool = False
    """The file had been another segment: what lies behind the last record may be of that one."""


class RecordHeader(NamedTuple):
    """What stands before a body."""

    length: int
    """Bytes of the body."""
    crc: int
    """CRC-32 of the body."""
    number: int
    """Its index in the segment."""
    batch: int
    """Number of the first record that was committed together with this one."""
    elapsed_ms: int
    """Since the segment was begun, by a clock that does not jump."""
    score: float
    key: int
    stamp_ms: int
    """Wall clock, milliseconds since 1970; 0 if it was not known to be right."""


class Footer(NamedTuple):
    """The last bytes of a segment that was closed in good order."""

    records: int
    end: int
    """Where the records end: the offset of the footer."""


def encode_header(header: SegmentHeader) -> bytes:
    """Return the HEADER_SIZE first bytes of a segment."""
    body = _HEADER.pack(
        _SEGMENT_MAGIC,
        header.version,
        int(header.recycled),
        header.before,
        header.id,
        header.serial,
        header.created_ms,
    )
    return body + _CRC.pack(zlib.crc32(body))


def decode_header(data: bytes) -> SegmentHeader | None:
    """Read a segment's first bytes; None when they are damaged."""
    if len(data) < HEADER_SIZE or not data.startswith(_SEGMENT_MAGIC):
        return None
    if _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    _, version, flags, before, identity, serial, created = _HEADER.unpack_from(data)
    return SegmentHeader(version, before, identity, serial, created, bool(flags & 1))


def body_crc(parts: Iterable[bytes | memoryview]) -> int:
    """Return the CRC-32 of a body in pieces."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def encode_record(header: tuple[int, int, int, int, int, float, int, int], serial: int) -> bytes:
    """Return the RECORD_SIZE bytes that stand before a body; the serial goes into their checksum only.

    The header is a RecordHeader, or the same as a bare tuple, which takes half the time to make.
    """
    rest = _RECORD.pack(*header)
    return _RECORD_HEAD.pack(RECORD_MAGIC, zlib.crc32(rest, serial & 0xFFFFFFFF)) + rest


def decode_record(data: bytes | memoryview, serial: int, at: int = 0) -> RecordHeader | None:
    """Read a record's header at an offset; None when there is none, or a damaged one."""
    if len(data) - at < RECORD_SIZE:
        return None
    magic, crc = _RECORD_HEAD.unpack_from(data, at)
    if magic != RECORD_MAGIC:
        return None
    if zlib.crc32(data[at + _RECORD_HEAD.size : at + RECORD_SIZE], serial & 0xFFFFFFFF) != crc:
        return None
    return RecordHeader(*_RECORD.unpack_from(data, at + _RECORD_HEAD.size))


def encode_footer(footer: Footer, serial: int) -> bytes:
    """Return the FOOTER_SIZE last bytes of a segment."""
    body = _FOOTER.pack(_FOOTER_MAGIC, *footer)
    return body + _CRC.pack(zlib.crc32(body, serial & 0xFFFFFFFF))


def decode_footer(data: bytes, serial: int) -> Footer | None:
    """Read a segment's last bytes; None when it was not closed in good order."""
    if len(data) != FOOTER_SIZE or not data.startswith(_FOOTER_MAGIC):
        return None
    if _CRC.unpack_from(data, _FOOTER.size)[0] != zlib.crc32(data[: _FOOTER.size], serial & 0xFFFFFFFF):
        return None
    return Footer(*_FOOTER.unpack_from(data)[1:])
