"""Nothing is lost on the way to the broker, and no more is kept than may be."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from facefleet.detector import outgoing as outgoing_module
from facefleet.detector.outgoing import WINDOW, Outgoing
from facefleet.messaging.event import Box, FaceEvent
from facefleet.messaging.link import Outcome
from hypothesis import given
from hypothesis import strategies as st


def event(sequence: int) -> FaceEvent:
    return FaceEvent("d", "c", f"id{sequence}", datetime.now(UTC), sequence, 1, 0.9, Box(0, 0, 9, 9), b"png")


class Broker:
    """Answers when told to, in the order and way told."""

    def __init__(self) -> None:
        self.asked: list[tuple[FaceEvent, Callable[[Outcome], None]]] = []

    def send(self, one: FaceEvent, done: Callable[[Outcome], None]) -> None:
        self.asked.append((one, done))

    def answer(self, outcome: Outcome) -> list[int]:
        asked, self.asked = self.asked, []
        for _, done in asked:
            done(outcome)
        return [one.sequence for one, _ in asked]


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_module, "RETRY_S", 0.0)


def test_what_is_accepted_is_published_once() -> None:
    broker = Broker()
    outgoing = Outgoing(broker.send, 100)
    outgoing.offer(event(1))
    assert outgoing.pending == 1
    outgoing.send_due()
    assert broker.answer(Outcome.ACCEPTED) == [1]
    outgoing.send_due()
    assert broker.answer(Outcome.ACCEPTED) == []
    assert (outgoing.pending, outgoing.published, outgoing.given_up) == (0, 1, 0)


@pytest.mark.parametrize("outcome", [Outcome.UNROUTED, Outcome.REFUSED, Outcome.UNSENT])
def test_what_is_not_accepted_is_sent_again_in_order(outcome: Outcome) -> None:
    broker = Broker()
    outgoing = Outgoing(broker.send, 100)
    for sequence in (1, 2, 3):
        outgoing.offer(event(sequence))
    for _ in range(3):
        outgoing.send_due()
        assert broker.answer(outcome) == [1, 2, 3]
        assert (outgoing.pending, outgoing.published) == (3, 0)
    outgoing.send_due()
    assert broker.answer(Outcome.ACCEPTED) == [1, 2, 3]
    assert (outgoing.pending, outgoing.published) == (0, 3)


def test_it_waits_before_it_sends_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing_module, "RETRY_S", 60.0)
    broker = Broker()
    outgoing = Outgoing(broker.send, 100)
    outgoing.offer(event(1))
    outgoing.send_due()
    broker.answer(Outcome.UNROUTED)
    outgoing.send_due()
    assert broker.asked == []
    assert outgoing.pending == 1


def test_the_link_holds_no_more_than_the_window() -> None:
    broker = Broker()
    outgoing = Outgoing(broker.send, 100)
    for sequence in range(1, 51):
        outgoing.offer(event(sequence))
    outgoing.send_due()
    outgoing.send_due()
    assert broker.answer(Outcome.ACCEPTED) == list(range(1, WINDOW + 1))


def test_the_newest_is_given_up_when_too_many_are_pending() -> None:
    broker = Broker()
    outgoing = Outgoing(broker.send, 3)
    for sequence in range(1, 6):
        outgoing.offer(event(sequence))
    assert (outgoing.pending, outgoing.given_up) == (3, 2)
    outgoing.send_due()
    assert broker.answer(Outcome.ACCEPTED) == [1, 2, 3]


@given(st.lists(st.sampled_from(["offer", "send", *Outcome]), max_size=200), st.integers(1, 30))
def test_offered_is_always_published_pending_or_given_up(steps: list[str | Outcome], most: int) -> None:
    broker = Broker()
    outgoing = Outgoing(broker.send, most)
    offered = 0
    accepted: list[int] = []
    for step in steps:
        if step == "offer":
            offered += 1
            outgoing.offer(event(offered))
        elif step == "send":
            outgoing.send_due()
        elif isinstance(step, Outcome):
            answered = broker.answer(step)
            accepted += answered if step is Outcome.ACCEPTED else []
        assert offered == outgoing.published + outgoing.pending + outgoing.given_up
        assert outgoing.pending <= most
    assert len(accepted) == len(set(accepted)) == outgoing.published
