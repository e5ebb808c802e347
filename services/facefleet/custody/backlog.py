"""All that is held, in memory: the segments in their order, what waits, what is out, and the sums."""

import heapq
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from facefleet.custody.entry import Fate, Ticket
from facefleet.custody.handles import Handle, Handles
from facefleet.custody.layout import FLYING, WAITING
from facefleet.custody.segment import Segment

FRESH_RECORDS = 256
Body = tuple[bytes | memoryview, ...]
End = Literal["oldest", "newest"]


@dataclass(slots=True)
class Tally:
    """The sums since the spool was first opened."""

    fates: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(Fate, 0))
    held: int = 0
    held_bytes: int = 0

    def add(self, fates: dict[Fate, int]) -> None:
        """Add counts."""
        for fate, count in fates.items():
            self.fates[fate] += count


class Fresh(NamedTuple):
    """What was written a moment ago, as it was given."""

    body: Body
    length: int
    at: float
    """Monotonic seconds."""


class Place(NamedTuple):
    """Where a record lies."""

    segment: Segment
    number: int
    fresh: "Fresh | None"
    """Its body, if it was written a moment ago."""
    data: Handle | None
    """None when the file is gone."""


class Backlog:
    """The segments by age. Safe from any thread; nothing here waits for a disk to finish."""

    def __init__(self, fresh_bytes: int = 0) -> None:
        self._fresh_most = fresh_bytes
        self.lock = threading.RLock()
        self.handles = Handles()
        self.tally = Tally()
        self.segments: dict[int, Segment] = {}
        """By serial, oldest first."""
        self._by_id: dict[int, Segment] = {}
        self._queues: tuple[list[int], list[int]] = ([], [])
        """Heaps of the serials (newest: negative) of segments where something waits, and maybe of others."""
        self.waiting = 0
        self._dead: set[int] = set()
        self._fresh: dict[tuple[int, int], Fresh] = {}
        """What was written last, oldest first: who takes it out soon spares the disk a read."""
        self._fresh_bytes = 0

    def add(self, segment: Segment) -> None:
        """Add a segment newer than all others, with what it holds."""
        with self.lock:
            self.segments[segment.serial] = segment
            self._by_id[segment.id] = segment
            self.waiting += segment.waiting
            self.tally.held += segment.held
            self.tally.held_bytes += sum(
                length
                for length, state in zip(segment.lengths, segment.states, strict=True)
                if state == WAITING
            )
            self.tally.add(segment.fates())
            self._enqueue(segment)
            self._look_if_dead(segment)

    def remove(self, segment: Segment) -> None:
        """Forget a segment of which nothing is held; its sums stay."""
        with self.lock:
            del self.segments[segment.serial], self._by_id[segment.id]
            self._dead.discard(segment.serial)
            self.handles.forget(segment.path)
            self.handles.forget(segment.marks_path)

    def seal(self, segment: Segment) -> None:
        """Note that nothing will be appended to a segment any more."""
        with self.lock:
            segment.sealed = True
            self._look_if_dead(segment)

    def publish(
        self, segment: Segment, places: Sequence[tuple[int, int, float]], size: int, bodies: Sequence[Body]
    ) -> None:
        """Make committed records (offset, bytes of the body, score) visible."""
        now = time.monotonic()
        with self.lock:
            first = segment.count
            if self._fresh_most:
                for index, body in enumerate(bodies, first):
                    self._fresh[segment.serial, index] = Fresh(body, places[index - first][1], now)
                    self._fresh_bytes += places[index - first][1]
                while self._fresh_bytes > self._fresh_most or len(self._fresh) > FRESH_RECORDS:
                    self._fresh_bytes -= self._fresh.pop(next(iter(self._fresh))).length
            offsets, lengths, scores = zip(*places, strict=True)
            segment.offsets.extend(offsets)
            segment.lengths.extend(lengths)
            segment.scores.extend(scores)
            self.tally.held_bytes += sum(lengths)
            segment.states += bytes(len(places))
            segment.size = size
            segment.waiting += len(places)
            segment.held += len(places)
            segment.high = segment.count
            self.waiting += len(places)
            self.tally.held += len(places)
            if segment.lowest.in_use:
                for index in range(first, segment.count):
                    segment.lowest.waits(index)
            self._enqueue(segment)

    def take(self, end: End) -> Place | None:
        """Take out the oldest or newest record that waits."""
        newest = end == "newest"
        with self.lock:
            segment = self._first(newest=newest)
            if segment is None:
                return None
            index = segment.next_waiting(newest=newest)
            segment.states[index] = FLYING
            if newest:
                segment.high = index
            else:
                segment.low = index + 1
            segment.waiting -= 1
            self.waiting -= 1
            fresh = self._fresh.pop((segment.serial, index), None)
            if fresh is not None:
                self._fresh_bytes -= fresh.length
                return Place(segment, index, fresh, None)
            return self._place(segment, index)

    def find(self, ticket: Ticket) -> Place | None:
        """Return the place of a record that was taken out and has not come back."""
        with self.lock:
            segment = self._by_id.get(ticket.segment)
            if segment is None or ticket.index >= segment.count or segment.states[ticket.index] != FLYING:
                return None
            return self._place(segment, ticket.index)

    def size_of_next(self, end: End) -> int | None:
        """Return the bytes of the body that `take` would take out."""
        newest = end == "newest"
        with self.lock:
            segment = self._first(newest=newest)
            return None if segment is None else segment.lengths[segment.next_waiting(newest=newest)]

    def give_back(self, ticket: Ticket) -> None:
        """Let a record that was taken out wait again, at its old place."""
        with self.lock:
            segment = self._by_id.get(ticket.segment)
            if segment is None or ticket.index >= segment.count or segment.states[ticket.index] != FLYING:
                return
            index = ticket.index
            segment.states[index] = WAITING
            segment.low = min(segment.low, index)
            segment.high = max(segment.high, index + 1)
            segment.waiting += 1
            self.waiting += 1
            segment.lowest.waits(index)
            self._enqueue(segment)

    def release(self, ticket: Ticket, fate: Fate) -> Segment | None:
        """End the custody of a record; returns its segment, or None when the record is not held."""
        with self.lock:
            segment = self._by_id.get(ticket.segment)
            if segment is None or not 0 <= ticket.index < segment.count:
                return None
            state = segment.states[ticket.index]
            if state > FLYING:
                return None
            self._end(segment, ticket.index, fate, state)
            return segment

    def end(self, segment: Segment, index: int, fate: Fate, state: int) -> bool:
        """End the custody of a record if it is in this state."""
        with self.lock:
            if segment.states[index] != state:
                return False
            self._end(segment, index, fate, state)
            return True

    def note(self, segment: Segment, index: int, end: int) -> None:
        """Write the fates of records into the release file.

        Raises:
            OSError: it was not written. It is sent again after a restart, no more than that.
        """
        with self.lock:
            if segment.serial not in self.segments:
                return
            marks = self.handles.get(segment.marks_path)
        os.pwrite(marks.fd, segment.marks(index, end), index)

    def dead(self) -> list[Segment]:
        """Return the sealed segments of which nothing is held, oldest first."""
        with self.lock:
            return [self.segments[serial] for serial in sorted(self._dead)]

    def dead_count(self) -> int:
        """Return how many there are."""
        return len(self._dead)

    def oldest_waiting(self) -> tuple[Segment, int] | None:
        """Return the record that `take` would take out as the oldest."""
        with self.lock:
            segment = self._first(newest=False)
            return None if segment is None else (segment, segment.next_waiting(newest=False))

    def lowest_waiting(self) -> tuple[float, Segment, int] | None:
        """Return the score and place of the oldest record among those with the lowest score that wait."""
        with self.lock:
            best: tuple[float, Segment, int] | None = None
            for segment in self.segments.values():
                if segment.waiting:
                    index = segment.lowest.index()
                    if best is None or segment.scores[index] < best[0]:
                        best = (segment.scores[index], segment, index)
            return best

    def oldest_held(self) -> Place | None:
        """Return the place of the oldest record held."""
        with self.lock:
            for segment in self.segments.values():
                if segment.held:
                    return self._place(segment, segment.oldest_held())
            return None

    def with_waiting(self) -> list[Segment]:
        """Return the segments in which something waits, oldest first."""
        with self.lock:
            return [segment for segment in self.segments.values() if segment.waiting]

    def oldest_in(self, segment: Segment) -> Place | None:
        """Return the place of the oldest record of a segment that waits."""
        with self.lock:
            return self._place(segment, segment.next_waiting(newest=False)) if segment.waiting else None

    def dirty(self) -> Iterable[Segment]:
        """Return the segments that may have dead records whose space can be given back."""
        with self.lock:
            return [segment for segment in self.segments.values() if segment.dirty]

    def _place(self, segment: Segment, index: int) -> Place:
        try:
            return Place(segment, index, None, self.handles.get(segment.path))
        except OSError:
            return Place(segment, index, None, None)

    def _end(self, segment: Segment, index: int, fate: Fate, state: int) -> None:
        segment.states[index] = fate
        segment.held -= 1
        if state == WAITING:
            segment.waiting -= 1
            self.waiting -= 1
        segment.dirty = True
        self.tally.held -= 1
        self.tally.held_bytes -= segment.lengths[index]
        self.tally.fates[fate] += 1
        if segment.sealed:
            self._look_if_dead(segment)

    def _look_if_dead(self, segment: Segment) -> None:
        if segment.sealed and not segment.held:
            self._dead.add(segment.serial)

    def _enqueue(self, segment: Segment) -> None:
        if not segment.waiting:
            return
        for which in (0, 1):
            if not segment.queued[which]:
                segment.queued[which] = True
                heapq.heappush(self._queues[which], -segment.serial if which else segment.serial)

    def _first(self, *, newest: bool) -> Segment | None:
        queue = self._queues[newest]
        while queue:
            segment = self.segments.get(abs(queue[0]))
            if segment is not None and segment.waiting:
                return segment
            heapq.heappop(queue)
            if segment is not None:
                segment.queued[newest] = False
        return None
