"""A spool: what is taken is on disk before it is acknowledged, and stays there until it is released.

Read from the top: open, append, next, give back or release, close.
"""

import math
import os
import struct
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from facefleet.custody.admission import Admission, Say, WhenFull
from facefleet.custody.ages import Ages
from facefleet.custody.backlog import Backlog, End, Place
from facefleet.custody.entry import Accounts, Entry, Fate, Kept, Record, Ticket
from facefleet.custody.errors import SpoolError
from facefleet.custody.layout import (
    FLYING,
    FOOTER_SIZE,
    HEADER_SIZE,
    KEY_MASK,
    RECORD_SIZE,
    WAITING,
    RecordHeader,
    decode_record,
)
from facefleet.custody.opening import open_folder, report_damage
from facefleet.custody.recent import RecentKeys
from facefleet.custody.room import Room, folder_can_punch
from facefleet.custody.segment import Segment
from facefleet.custody.space import DISK_FULL
from facefleet.custody.spares import Spares
from facefleet.custody.writer import Newcomer, Writer
from facefleet.runtime import logs
from facefleet.runtime.clock import Trust

__all__ = ["Spool", "WhenFull"]

_SCORE = struct.Struct("f")

LEAST_BYTES = 64 * 1024
SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENTS = 8
"""The bound has room for at least so many segments."""
MANY_DEAD = 8
"""So many empty segments are removed together."""
MOST_TRIES = 16
GIVEN_UP_AT_ONCE = 5_000
"""The rest goes with the next look: nobody shall wait long."""

_log = logs.get("custody")


class Spool:
    """A folder that holds records within a bound.

    Safe from any thread; who takes records out does not wait for the disk of who brings some.

    Args:
        folder: made when it is not there; nobody else may have it open.
        max_bytes: what all its files may take on disk, in whole blocks; at least 65,536.
        when_full: refuse what comes (`reject`), or give up what waits, oldest or lowest score first.
        segment_bytes: the size of a segment; at most an eighth of the bound.
        fresh_bytes: of what was written last, kept in memory too: who takes it out soon need not read it.
        clock: whose word counts for it that the wall clock is right.

    Raises:
        FutureFormatError: a newer release wrote the folder; nothing in it was touched.
        SpoolError: it cannot be opened; the message names the folder or file and the remedy.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        when_full: WhenFull = "reject",
        segment_bytes: int = SEGMENT_BYTES,
        fresh_bytes: int = 0,
        clock: Trust = "trusted",
    ) -> None:
        if max_bytes < LEAST_BYTES:
            raise SpoolError(f"{folder} cannot do with {max_bytes} bytes: give it {LEAST_BYTES} or more")
        self._folder = folder
        opened = open_folder(folder, max_bytes)
        self._lock_fd = opened.lock
        self._ledger = opened.ledger
        self._budget = opened.budget
        self._set_aside = opened.set_aside
        self._torn = opened.torn
        self._recent = RecentKeys(opened.keys)
        self._ages = Ages(clock)
        self._backlog = Backlog(fresh_bytes)
        self._backlog.tally.add(self._ledger.fates)
        for segment in opened.segments:
            self._backlog.add(segment)
        self._writing = threading.Lock()
        self._closed = False
        self._owes_space = False
        """What was too old may still lie in its blocks."""
        try:
            can_punch = folder_can_punch(folder)
        except OSError:
            # No room for a probe. What cannot be punched then says so when it is tried.
            can_punch = True
        if when_full == "drop_lowest_score" and not can_punch:
            os.close(self._lock_fd)
            raise SpoolError(
                f"the file system of {folder} cannot give back space inside a file (punch a hole), which "
                "drop_lowest_score needs: use ext4 or XFS, or another policy"
            )
        self._spares = Spares(folder, self._budget, max_bytes)
        self._writer = Writer(
            folder,
            self._backlog,
            self._budget,
            self._spares,
            segment_bytes=min(segment_bytes, max_bytes // SEGMENTS),
            next_serial=opened.next_serial,
            stamp=self._ages.stamp,
        )
        self._room = Room(
            self._backlog, self._writer, self._ledger, self._budget, spares=self._spares, can_punch=can_punch
        )
        self._admission = Admission(
            self._backlog,
            self._writer,
            self._room,
            self._budget,
            when_full=when_full,
            most=self._most_for_a_record(max_bytes),
        )
        try:
            self._room.fold()
        except SpoolError:
            os.close(self._lock_fd)
            raise

    def append(self, entries: Sequence[Entry]) -> list[Kept]:
        """Take entries; what is KEPT or a REPEAT is on disk on return.

        Returns:
            What became of each, in their order.

        Raises:
            SpoolError: the disk fails, or the spool is closed. The giver keeps all of these entries.
        """
        with self._writing:
            if self._closed:
                raise SpoolError(f"{self._folder} is closed")
            kept = self._append(entries)
        self._fold_if_ripe()
        return kept

    def next(self, end: End) -> Record | None:
        """Take out the oldest or newest record that waits; None when none does.

        What is damaged on disk is counted, set aside and passed over.
        """
        while not self._closed and (place := self._backlog.take(end)) is not None:
            record = self._read(place)
            if record is not None:
                return record
        return None

    def read(self, ticket: Ticket) -> Record | None:
        """Read a record again that was taken out; None when it is not out, or is damaged and so counted."""
        place = None if self._closed else self._backlog.find(ticket)
        return None if place is None else self._read(place)

    def peek_size(self, end: End) -> int | None:
        """Return the bytes of the body that `next` would give; None when nothing waits."""
        return self._backlog.size_of_next(end)

    def give_back(self, ticket: Ticket) -> None:
        """Let a record that was taken out wait again; it keeps its place in the order."""
        self._backlog.give_back(ticket)

    def release(self, ticket: Ticket, fate: Fate = Fate.HANDED_ON) -> bool:
        """End the custody of a record, in any order; False when the ticket is of none that is held.

        Raises:
            SpoolError: the disk fails where space is given back.
        """
        return self.release_many(((ticket, fate),)) == 1

    def release_many(self, releases: Sequence[tuple[Ticket, Fate]]) -> int:
        """End the custody of records, in any order; returns of how many. Neighbours cost one write.

        Raises:
            SpoolError: the disk fails where space is given back.
        """
        if self._closed:
            return 0
        released: dict[int, tuple[Segment, list[int]]] = {}
        with self._backlog.lock:
            for ticket, fate in releases:
                segment = self._backlog.release(ticket, fate)
                if segment is not None:
                    released.setdefault(segment.serial, (segment, []))[1].append(ticket.index)
        for segment, indices in released.values():
            for first, end in _runs(sorted(indices)):
                self._room.note(segment, first, end)
        self._fold_if_ripe()
        return sum(len(indices) for _, indices in released.values())

    def give_up_older(self, age_s: float) -> int:
        """Give up what has waited longer, and give back its space; returns how many records that were.

        What is on its way stays: it may have arrived. One whose clock was wrong counts from this open.

        Raises:
            SpoolError: the disk fails where space is given back.
        """
        given_up = 0
        for segment in self._backlog.with_waiting():
            while given_up < GIVEN_UP_AT_ONCE and (place := self._backlog.oldest_in(segment)) is not None:
                age = self._age_at(place)
                if age is None or age <= age_s:
                    break
                if self._backlog.end(segment, place.number, Fate.GIVEN_UP, WAITING):
                    self._room.note(segment, place.number)
                    given_up += 1
        if given_up:
            _log.warning("too old: given up", records=given_up, keep_s=age_s)
        self._owes_space = self._owes_space or given_up > 0
        # Who writes just now is not waited for: the next look gives it back.
        if self._owes_space and self._writing.acquire(blocking=False):
            try:
                if not self._closed:
                    self._room.reclaim()
                self._owes_space = False
            finally:
                self._writing.release()
        return given_up

    @property
    def waiting(self) -> int:
        """How many records `next` can take out."""
        return self._backlog.waiting

    def accounts(self) -> Accounts:
        """Return the books of this moment."""
        oldest = self._oldest_s()
        with self._backlog.lock:
            tally = self._backlog.tally
            fates = tally.fates
            return Accounts(
                taken=sum(fates.values()) + tally.held,
                handed_on=fates[Fate.HANDED_ON],
                rejected=fates[Fate.REJECTED],
                given_up=fates[Fate.GIVEN_UP],
                damaged=fates[Fate.DAMAGED],
                held=tally.held,
                held_bytes=tally.held_bytes,
                disk_bytes=self._budget.used,
                oldest_s=oldest,
                torn=self._torn,
            )

    def close(self) -> None:
        """Close the files in good order; what is held stays. Harmless when it is closed already."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            try:
                self._writer.rotate(durably=True)
                self._spares.clear()
            finally:
                self._ledger.close()
                with self._backlog.lock:
                    self._backlog.handles.clear()
                os.close(self._lock_fd)

    def _append(self, entries: Sequence[Entry]) -> list[Kept]:
        kept: list[Kept] = [Kept.REPEAT] * len(entries)
        queue, twins = self._sort_out(entries)
        given_up: list[Newcomer] = []

        def say(newcomer: Newcomer, became: Kept) -> None:
            kept[newcomer.position] = became
            if became is Kept.GIVEN_UP:
                given_up.append(newcomer)

        if queue and self._ledger_is_there():
            self._take_in(queue, say)
        for newcomer in queue:
            say(newcomer, Kept.REFUSED)
        if given_up:
            self._count_at_the_door(given_up)
        for position, first in twins:
            kept[position] = Kept.REFUSED if kept[first] is Kept.REFUSED else Kept.REPEAT
        return kept

    def _take_in(self, queue: deque[Newcomer], say: Say) -> None:
        """Write what comes in; what is in the queue on return found the disk full."""
        self._budget.lift()
        tries = 0
        while queue and tries < MOST_TRIES:
            plan = self._admission.pick(queue, say)
            if not plan:
                continue
            if self._writer.commit(plan):
                for newcomer in plan:
                    say(newcomer, Kept.KEPT)
                    self._recent.add(newcomer.key)
            else:
                queue.extendleft(reversed(plan))
                self._budget.disk_is_full()
                tries += 1

    def _sort_out(self, entries: Sequence[Entry]) -> tuple[deque[Newcomer], list[tuple[int, int]]]:
        """Return the newcomers, and where in the batch a key comes again, with the place of its first."""
        queue: deque[Newcomer] = deque()
        twins: list[tuple[int, int]] = []
        firsts: dict[int, int] = {}
        for position, entry in enumerate(entries):
            key = entry.key & KEY_MASK
            if key in self._recent:
                continue
            first = firsts.setdefault(key, position)
            if first != position:
                twins.append((position, first))
                continue
            length = sum(map(len, entry.parts))
            queue.append(Newcomer(position, entry, key, _score(entry), length, RECORD_SIZE + length))
        return queue, twins

    def _ledger_is_there(self) -> bool:
        try:
            self._ledger.make()
        except OSError as error:
            if error.errno in DISK_FULL:
                return False
            raise SpoolError(
                f"{self._ledger.path} cannot be made: {error.strerror}: check the disk"
            ) from error
        return True

    def _count_at_the_door(self, given_up: Sequence[Newcomer]) -> None:
        try:
            self._ledger.give_up(len(given_up))
        except OSError as error:
            raise SpoolError(
                f"{self._ledger.path} cannot be written: {error.strerror}: check the disk"
            ) from error
        with self._backlog.lock:
            self._backlog.tally.fates[Fate.GIVEN_UP] += len(given_up)
        for newcomer in given_up:
            self._recent.add(newcomer.key)

    def _read(self, place: Place) -> Record | None:
        segment, index, fresh, handle = place
        if fresh is not None:
            age_s = time.monotonic() - fresh.at
            return Record(Ticket(segment.id, index), b"".join(fresh.body), segment.scores[index], age_s)
        offset, size = segment.place(index)
        try:
            data = b"" if handle is None else os.pread(handle.fd, size, offset)
        except OSError:
            data = b""
        header = decode_record(data, segment.serial)
        if header is not None and header.number == index and len(data) == size:
            body = data[RECORD_SIZE:]
            if zlib.crc32(body) == header.crc:
                return Record(Ticket(segment.id, index), body, header.score, self._age(segment, header))
        # Released meanwhile, its space may be gone: that is no damage.
        if self._backlog.end(segment, index, Fate.DAMAGED, FLYING):
            self._room.note(segment, index)
            report_damage(segment, offset, 1, self._set_aside, data)
            self._fold_if_ripe()
        return None

    def _age(self, segment: Segment, header: RecordHeader) -> float:
        if segment.born is None:
            return self._ages.since(header.stamp_ms)
        return max(0.0, time.monotonic() - segment.born - header.elapsed_ms / 1000)

    def _oldest_s(self) -> float:
        place = None if self._closed else self._backlog.oldest_held()
        return (self._age_at(place) or 0.0) if place is not None else 0.0

    def _age_at(self, place: Place) -> float | None:
        """Return the age of what lies at a place; None when it cannot be read."""
        if place.data is None:
            return None
        try:
            data = os.pread(place.data.fd, RECORD_SIZE, place.segment.offsets[place.number])
        except OSError:
            return None
        header = decode_record(data, place.segment.serial)
        return None if header is None else self._age(place.segment, header)

    def _fold_if_ripe(self) -> None:
        """Remove empty segments: many at once, or when nothing is held. Whoever writes does it after."""
        while self._is_ripe() and self._writing.acquire(blocking=False):
            try:
                if self._closed or not self._is_ripe():
                    return
                if not self._backlog.tally.held:
                    self._room.retire_active()
                if not self._room.fold():
                    return
            finally:
                self._writing.release()

    def _is_ripe(self) -> bool:
        dead = self._backlog.dead_count()
        return dead >= MANY_DEAD or (not self._backlog.tally.held and (dead > 0 or self._writer.is_worn()))

    def _most_for_a_record(self, max_bytes: int) -> int:
        fixed = self._budget.margin + self._budget.used
        fixed -= sum(segment.disk for segment in self._backlog.segments.values())
        return max_bytes - fixed - 3 * self._budget.block - HEADER_SIZE - FOOTER_SIZE


def _runs(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the runs (first, end) of neighbours among sorted numbers."""
    first = last = indices[0]
    for index in indices[1:]:
        if index != last + 1:
            yield first, last + 1
            first = index
        last = index
    yield first, last + 1


def _score(entry: Entry) -> float:
    """Return a score as it will be on disk, so that equal ones stay equal."""
    if not entry.score or math.isnan(entry.score):
        return 0.0
    score = min(max(entry.score, 0.0), 1.0)
    (stored,) = _SCORE.unpack(_SCORE.pack(score))
    return float(stored)
