"""One segment in memory: where its records lie and what became of each, 13 bytes a record."""

import re
from array import array
from collections.abc import Iterator
from pathlib import Path

from facefleet.custody.entry import Fate
from facefleet.custody.layout import FLYING, RECORD_SIZE, WAITING
from facefleet.custody.lowest import Lowest

# In memory, the small letter of a fate says that the space of the record was given back already.
_FRESHLY_DEAD = re.compile(rb"[a-zA-Z]*[A-Z][a-zA-Z]*")


class Segment:
    """A segment file, its release file, and the state of each of its records.

    Its methods are called with the backlog's lock held, unless they say otherwise.
    """

    def __init__(self, folder: Path, serial: int, identity: int, born: float | None = None) -> None:
        self.serial = serial
        self.id = identity
        self.born = born
        """Monotonic seconds of its begin; None for one of an earlier run."""
        self.path = str(folder / f"{serial:020d}.seg")
        self.marks_path = str(folder / f"{serial:020d}.rel")
        self.size = 0
        """Bytes committed; 0 as long as not even the header is."""
        self.ready = 0
        """Bytes from the start of the file that have blocks already, whatever is in them."""
        self.sealed = False
        """Nothing will be appended any more."""
        self.offsets = array("I")
        self.lengths = array("I")
        self.scores = array("f")
        self.states = bytearray()
        self.waiting = 0
        self.held = 0
        self.low = 0
        """No record before this one waits."""
        self.high = 0
        """No record from this one on waits."""
        self.first_held = 0
        """No record before this one is held."""
        self.dirty = False
        """There may be dead records whose space was not given back yet."""
        self.data_disk = 0
        self.marks_disk = 0
        self.lowest = Lowest(self.states, self.scores)
        self.queued = [False, False]

    @property
    def count(self) -> int:
        """How many numbers are in use."""
        return len(self.states)

    @property
    def disk(self) -> int:
        """Bytes that both files take on disk."""
        return self.data_disk + self.marks_disk

    def load(self, states: bytes) -> None:
        """Take the states of an earlier run, and count."""
        self.states += states
        self.waiting = self.held = self.states.count(WAITING)
        self.high = self.count
        self.dirty = self.held < self.count

    def marks(self, first: int = 0, end: int | None = None) -> bytes:
        """Return what the release file should say of some records."""
        return bytes(self.states[first:end]).upper().replace(bytes((FLYING,)), bytes((WAITING,)))

    def fates(self) -> dict[Fate, int]:
        """Return how many records met each fate."""
        states = self.states.upper()
        return {fate: states.count(fate) for fate in Fate}

    def next_waiting(self, *, newest: bool) -> int:
        """Return the index of the oldest or newest record that waits, or -1."""
        if newest:
            return self.states.rfind(WAITING, 0, self.high)
        return self.states.find(WAITING, self.low)

    def oldest_held(self) -> int:
        """Return the index of the oldest record held, or -1."""
        found = [at for at in (self.states.find(s, self.first_held) for s in (WAITING, FLYING)) if at >= 0]
        if found:
            self.first_held = min(found)
        return min(found, default=-1)

    def end_of(self, index: int) -> int:
        """Return the offset at which what belongs to a record ends."""
        return self.offsets[index + 1] if index + 1 < self.count else self.size

    def gain(self, index: int, block: int) -> int:
        """Return the bytes of whole blocks that come free because this record is dead now."""
        before = max(self.states.rfind(WAITING, 0, index), self.states.rfind(FLYING, 0, index)) + 1
        after = min(
            (at for at in (self.states.find(s, index + 1) for s in (WAITING, FLYING)) if at >= 0),
            default=self.count,
        )
        gain = self._whole(before, after, block)
        if before < index:
            gain -= self._whole(before, index, block)
        if index + 1 < after:
            gain -= self._whole(index + 1, after, block)
        return gain

    def fresh_holes(self, block: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield runs of dead records with space to give back: first, end (indices), offset, bytes."""
        for run in _FRESHLY_DEAD.finditer(self.states):
            first, end = run.span()
            start, stop = self._range(first, end, block)
            if stop > start:
                yield first, end, start, stop - start

    def settle_space(self, first: int, end: int) -> None:
        """Note that the space of a run of dead records was given back."""
        self.states[first:end] = self.states[first:end].lower()

    def _range(self, first: int, end: int, block: int) -> tuple[int, int]:
        return -(-self.offsets[first] // block) * block, self.end_of(end - 1) // block * block

    def _whole(self, first: int, end: int, block: int) -> int:
        start, stop = self._range(first, end, block)
        return max(0, stop - start)

    def place(self, index: int) -> tuple[int, int]:
        """Return offset and bytes of a record with its header."""
        return self.offsets[index], RECORD_SIZE + self.lengths[index]
