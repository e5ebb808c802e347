"""Who of a batch comes in: what fits, and what the policy says when it does not."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from facefleet.custody.backlog import Backlog
from facefleet.custody.entry import Fate, Kept
from facefleet.custody.layout import WAITING
from facefleet.custody.room import Room
from facefleet.custody.segment import Segment
from facefleet.custody.space import Budget
from facefleet.custody.writer import Newcomer, Writer
from facefleet.runtime import logs

WhenFull = Literal["reject", "drop_oldest", "drop_lowest_score"]
Say = Callable[[Newcomer, Kept], None]

WARN_EVERY_S = 5.0

_log = logs.get("custody")


@dataclass(slots=True)
class _Plan:
    """What one write will take."""

    members: list[Newcomer]
    size: int = 0

    def add(self, newcomer: Newcomer) -> None:
        self.members.append(newcomer)
        self.size += newcomer.size

    def remove(self, newcomer: Newcomer) -> Newcomer:
        self.members.remove(newcomer)
        self.size -= newcomer.size
        return newcomer


class Admission:
    """Picks from the newcomers those for the next write, and makes room for them."""

    def __init__(
        self, backlog: Backlog, writer: Writer, room: Room, budget: Budget, *, when_full: WhenFull, most: int
    ) -> None:
        self._backlog = backlog
        self._writer = writer
        self._room = room
        self._budget = budget
        self._when_full = when_full
        self._most = most
        """The largest record that can ever fit, in bytes."""
        self._unsaid = 0
        self._said = float("-inf")
        self._credit = 0
        """Bytes that will come free with the holes of what was given up just now."""
        self._reclaimed = False

    def pick(self, queue: deque[Newcomer], say: Say) -> list[Newcomer]:
        """Take newcomers from the queue for one write; the bound has room for them.

        `say` hears of those that do not come in. Call it again until the queue is empty.
        """
        self._credit = 0
        size = sum(newcomer.size for newcomer in queue)
        if self._writer.has_room(size) and self._lacks(len(queue), size) <= 0:
            everyone = list(queue)
            queue.clear()
            return everyone
        plan = _Plan([])
        self._reclaimed = False
        while queue:
            newcomer = queue[0]
            if newcomer.size > self._most:
                _log.warning("too large for the spool: given up", size=newcomer.size, most=self._most)
                say(queue.popleft(), Kept.GIVEN_UP)
            elif not self._shares_a_segment(plan, newcomer):
                break
            elif self._lacks(len(plan.members) + 1, plan.size + newcomer.size) <= 0:
                plan.add(queue.popleft())
            elif not self._make_room(plan, queue, say):
                break
        if self._credit:
            self._reclaim()
        while plan.members and self._lacks(len(plan.members), plan.size) > 0:
            queue.appendleft(plan.remove(plan.members[-1]))
        return plan.members

    def _shares_a_segment(self, plan: _Plan, newcomer: Newcomer) -> bool:
        if self._writer.has_room(plan.size + newcomer.size):
            return True
        if not plan.members and self._writer.active is not None and self._writer.active.count:
            self._writer.rotate()
        return not plan.members

    def _lacks(self, count: int, size: int) -> int:
        return self._budget.lacks(self._writer.growth(count, size)) - self._credit

    def _make_room(self, plan: _Plan, queue: deque[Newcomer], say: Say) -> bool:
        """Make room for the first of the queue, or send it away; False when the plan must go first."""
        if not self._reclaimed:
            self._reclaimed = True
            if self._reclaim():
                return True
        match self._when_full:
            case "reject":
                made = False
            case "drop_oldest":
                made = self._drop_oldest(plan, queue)
            case "drop_lowest_score":
                made = self._drop_lowest(plan, queue, say)
        if made:
            return True
        if plan.members:
            return False
        while queue:
            say(queue.popleft(), Kept.REFUSED)
        return True

    def _drop_oldest(self, plan: _Plan, queue: deque[Newcomer]) -> bool:
        """All of the queue will come in, so room is made for as many as one write takes, at once."""
        count, size = len(plan.members), plan.size
        for newcomer in queue:
            if count > len(plan.members) and not self._writer.has_room(size + newcomer.size):
                break
            count, size = count + 1, size + newcomer.size
        dropped = False
        while self._lacks(count, size) > 0 and (victim := self._backlog.oldest_waiting()) is not None:
            dropped = True
            if self._drop(*victim):
                break
        return self._reclaim() or dropped

    def _drop_lowest(self, plan: _Plan, queue: deque[Newcomer], say: Say) -> bool:
        waiting = self._backlog.lowest_waiting()
        planned = min(plan.members, key=lambda member: member.score, default=None)
        floor = min(
            math.inf if waiting is None else waiting[0], math.inf if planned is None else planned.score
        )
        if floor == math.inf:
            return False
        if queue[0].score <= floor:
            self._turn_away(queue.popleft(), say)
        elif planned is not None and planned.score == floor:
            self._turn_away(plan.remove(planned), say)
        elif waiting is not None and self._drop(waiting[1], waiting[2]):
            self._reclaim()
        return True

    def _turn_away(self, newcomer: Newcomer, say: Say) -> None:
        say(newcomer, Kept.GIVEN_UP)
        self._count_given_up()

    def _drop(self, segment: Segment, index: int) -> bool:
        """Give up a record that waits; True when its segment is empty now."""
        if self._backlog.end(segment, index, Fate.GIVEN_UP, WAITING):
            self._credit += self._room.gain(segment, index)
            self._room.note(segment, index)
            self._count_given_up()
        return not segment.held

    def _reclaim(self) -> bool:
        self._credit = 0
        return self._room.reclaim()

    def _count_given_up(self) -> None:
        self._unsaid += 1
        now = time.monotonic()
        if now - self._said >= WARN_EVERY_S:
            _log.warning("full: given up", records=self._unsaid, policy=self._when_full)
            self._unsaid, self._said = 0, now
