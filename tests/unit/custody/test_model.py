"""Any sequence of calls, reopens and crashes, against a list and a few sums."""

import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from facefleet.custody.entry import Entry, Fate, Kept, Ticket
from facefleet.custody.spool import Spool, WhenFull
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.custody.folders import balanced, copied, drained, weight

BOUND = 160 * 1024


@dataclass(eq=False)
class Held:
    key: int
    body: bytes
    score: float
    ticket: Ticket | None = None


class SpoolAgainstModel(RuleBasedStateMachine):
    when_full: WhenFull = "reject"

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="spool-"))
        self.folder = self.root / "0"
        self.waiting: list[Held] = []
        self.flying: list[Held] = []
        self.order: dict[Held, int] = {}
        self.gone: list[Ticket] = []
        self.sums = dict.fromkeys(Fate, 0)
        self.number = 0
        self.lives = 0
        self.known = 0

    @initialize(segment_bytes=st.sampled_from([8 * 1024, 20 * 1024, 1 << 20]))
    def begin(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.spool = self.opened()

    def opened(self) -> Spool:
        return Spool(self.folder, max_bytes=BOUND, when_full=self.when_full, segment_bytes=self.segment_bytes)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        shutil.rmtree(self.root)

    @rule(
        sizes=st.lists(
            st.sampled_from([0, 1, 100, 3000, 9000, 20_000, 40_000, BOUND]), min_size=1, max_size=9
        ),
        seed=st.integers(0, 1 << 16),
        again=st.sampled_from(["", "again"]),
    )
    def append(self, sizes: list[int], seed: int, again: str) -> None:
        chance = random.Random(seed)
        news = []
        for size in sizes:
            self.number += 1
            body = self.number.to_bytes(4) + chance.randbytes(size)
            news.append(Held(self.number, body, chance.choice([0.0, 0.25, 0.5, chance.random()])))
        entries = [Entry((held.body[:7], held.body[7:]), held.key, held.score) for held in news]
        held_already = [*self.waiting, *self.flying]
        if again and held_already:
            entries.append(Entry((b"again",), chance.choice(held_already).key))
            entries.append(entries[0])
        self.known = len(self.order)
        before = self.spool.accounts()
        kept = self.spool.append(entries)
        after = self.spool.accounts()
        if again and held_already:
            assert kept[-2] is Kept.REPEAT
            assert kept[-1] is (Kept.REFUSED if kept[0] is Kept.REFUSED else Kept.REPEAT)
        kept = kept[: len(news)]
        assert Kept.REPEAT not in kept
        given_up = after.given_up - before.given_up
        self.sums[Fate.GIVEN_UP] += given_up
        dropped = given_up - kept.count(Kept.GIVEN_UP)
        for held, became in zip(news, kept, strict=True):
            assert len(held.body) < BOUND or became in {Kept.GIVEN_UP, Kept.REFUSED}
            if became is Kept.KEPT:
                self.order[held] = len(self.order)
                self.waiting.append(held)
        if self.when_full == "reject":
            assert dropped == 0
        else:
            assert Kept.REFUSED not in kept or self.flying
        if dropped:
            self.drop(dropped)

    def drop(self, count: int) -> None:
        del self.waiting[:count]

    @precondition(lambda self: self.waiting)
    @rule(end=st.sampled_from(["oldest", "newest"]))
    def next(self, end: Literal["oldest", "newest"]) -> None:
        expected = self.waiting.pop(0 if end == "oldest" else -1)
        assert self.spool.peek_size(end) == len(expected.body)
        record = self.spool.next(end)
        assert record is not None
        assert record.body == expected.body
        assert record.score == pytest.approx(expected.score)
        assert 0 <= record.age_s < 600
        expected.ticket = record.ticket
        self.flying.append(expected)

    @precondition(lambda self: self.flying)
    @rule(choice=st.integers(0, 1 << 16))
    def give_back(self, choice: int) -> None:
        held = self.flying.pop(choice % len(self.flying))
        assert held.ticket is not None
        self.spool.give_back(held.ticket)
        self.waiting.append(held)
        self.waiting.sort(key=lambda held: self.order[held])

    @precondition(lambda self: self.flying)
    @rule(choice=st.integers(0, 1 << 16), fate=st.sampled_from([Fate.HANDED_ON, Fate.REJECTED]))
    def release(self, choice: int, fate: Fate) -> None:
        held = self.flying.pop(choice % len(self.flying))
        assert held.ticket is not None
        assert self.spool.release(held.ticket, fate)
        self.sums[fate] += 1
        self.gone.append(held.ticket)

    @precondition(lambda self: self.flying)
    @rule(count=st.integers(1, 20))
    def release_many(self, count: int) -> None:
        for _ in range(min(count, len(self.flying))):
            self.release(0, Fate.HANDED_ON)

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 20))
    def take_many(self, count: int) -> None:
        for _ in range(min(count, len(self.waiting))):
            self.next("oldest")

    @precondition(lambda self: self.gone)
    @rule(choice=st.integers(0, 1 << 16))
    def stale_ticket(self, choice: int) -> None:
        ticket = self.gone[choice % len(self.gone)]
        self.spool.give_back(ticket)
        assert not self.spool.release(ticket)

    @rule()
    def reopen(self) -> None:
        self.spool.close()
        self.come_back()

    @rule()
    def crash(self) -> None:
        self.lives += 1
        folder = copied(self.folder, self.root / str(self.lives))
        self.spool.close()
        self.folder = folder
        self.come_back()

    def come_back(self) -> None:
        self.spool = self.opened()
        self.waiting.extend(self.flying)
        self.waiting.sort(key=lambda held: self.order[held])
        self.flying.clear()
        assert self.spool.accounts().torn == 0

    @invariant()
    def books_agree(self) -> None:
        if not hasattr(self, "spool"):
            return
        accounts = self.spool.accounts()
        held = [*self.waiting, *self.flying]
        assert balanced(accounts)
        assert accounts.held == len(held)
        assert accounts.held_bytes == sum(len(one.body) for one in held)
        assert accounts.handed_on == self.sums[Fate.HANDED_ON]
        assert accounts.rejected == self.sums[Fate.REJECTED]
        assert accounts.given_up == self.sums[Fate.GIVEN_UP]
        assert accounts.damaged == 0
        assert self.spool.waiting == len(self.waiting)
        assert weight(self.folder) <= accounts.disk_bytes <= BOUND
        assert accounts.oldest_s >= 0
        assert (self.spool.peek_size("newest") is None) == (not self.waiting)


class DroppingTheOldest(SpoolAgainstModel):
    when_full: WhenFull = "drop_oldest"


class DroppingTheLowest(SpoolAgainstModel):
    when_full: WhenFull = "drop_lowest_score"

    def drop(self, count: int) -> None:
        """Who of a batch came first makes a difference here: look who is left."""
        self.lives += 1
        look = Spool(copied(self.folder, self.root / str(self.lives)), max_bytes=BOUND)
        left = {record.body for record in drained(look)}
        look.close()
        gone = [held for held in self.waiting if held.body not in left]
        self.waiting = [held for held in self.waiting if held.body in left]
        assert len(gone) == count
        for victim in gone:
            assert all(victim.score <= held.score + 1e-6 for held in self.waiting if self.was_there(held))

    def was_there(self, held: Held) -> bool:
        return self.order[held] < self.known


_few = settings(max_examples=40, stateful_step_count=40, phases=(Phase.explicit, Phase.generate))
TestReject = SpoolAgainstModel.TestCase
TestReject.settings = _few
TestDropOldest = DroppingTheOldest.TestCase
TestDropOldest.settings = _few
TestDropLowest = DroppingTheLowest.TestCase
TestDropLowest.settings = _few
