"""What one gives to a spool, what one gets, and what becomes of it."""

import enum
import struct
from dataclasses import dataclass
from typing import NamedTuple

_TICKET = struct.Struct(">QI")


class Ticket(NamedTuple):
    """What names a record, and nothing else ever: it survives restarts and restored snapshots."""

    segment: int
    """Random id of the segment file, 64 bits, new for each file."""
    index: int  # type: ignore[assignment]  # hides tuple.index, which no ticket needs
    """Position of the record in it, 32 bits."""

    def encoded(self) -> bytes:
        """Return 12 bytes, big endian."""
        return _TICKET.pack(self.segment, self.index)

    @classmethod
    def decode(cls, data: bytes) -> "Ticket":
        """Read what `encoded` wrote.

        Raises:
            ValueError: these are not 12 bytes.
        """
        if len(data) != _TICKET.size:
            raise ValueError(f"a ticket has {_TICKET.size} bytes, not {len(data)}")
        return cls(*_TICKET.unpack(data))


@dataclass(slots=True)
class Entry:
    """What one gives."""

    parts: tuple[bytes | memoryview, ...]
    """The body in pieces; they are written as they are and never joined."""
    key: int
    """64 bits: two entries with one key are the same thing, sent twice."""
    score: float = 0.0
    """0 to 1, for drop_lowest_score."""


class Kept(enum.Enum):
    """What became of an entry."""

    KEPT = "kept"
    """On disk."""
    REPEAT = "repeat"
    """Its key is among the last 20,000 taken, or twice in the batch: nothing written, it is safe."""
    REFUSED = "refused"
    """No room, and nothing may be dropped: the giver keeps it and tries later."""
    GIVEN_UP = "given up"
    """It can never fit, or the policy dropped it at once; counted."""


class Record(NamedTuple):
    """What one takes out."""

    ticket: Ticket
    body: bytes
    score: float
    age_s: float
    """Seconds since it was taken; never negative, 0 where the clock was wrong."""


class Fate(enum.IntEnum):
    """What became of a record; the value is its byte in the release file."""

    HANDED_ON = ord("H")
    REJECTED = ord("R")
    """Stored as a dead letter."""
    GIVEN_UP = ord("G")
    DAMAGED = ord("D")


@dataclass(frozen=True, slots=True)
class Accounts:
    """The books: taken == handed_on + rejected + given_up + damaged + held, across any crash."""

    taken: int
    handed_on: int
    rejected: int
    given_up: int
    damaged: int
    held: int
    held_bytes: int
    """Bytes of the bodies held."""
    disk_bytes: int
    """Bytes that the folder takes on disk, in whole blocks; never more than the bound."""
    oldest_s: float
    """Age of the oldest record held, in seconds; 0 when there is none."""
    torn: int
    """Segments from which the last open cut a write that had not been finished."""
