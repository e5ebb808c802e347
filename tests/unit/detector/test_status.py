"""When a camera's status is said."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from facefleet.detector.status import Reporter, Status

FRESH = Status(state="online", camera="ok", captured=1, handed_on=1, given_up=0, held=0, frames=10)


class Desk:
    """A reporter, its clock and what it said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.status = FRESH
        self.said: list[dict[str, object]] = []
        self.done: Callable[[], None] = lambda: None
        self.answers = True
        self.reporter = Reporter(lambda: self.status, self.say, clock=lambda: self.now)

    def say(self, payload: bytes, done: Callable[[], None]) -> None:
        self.said.append(json.loads(payload))
        self.done = done
        if self.answers:
            done()

    def later(self, seconds: float) -> int:
        """How much is said at a look after so many seconds."""
        before = len(self.said)
        self.now += seconds
        self.reporter.report_due()
        return len(self.said) - before


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_is_said_at_once_and_then_every_five_seconds(desk: Desk) -> None:
    assert [desk.later(seconds) for seconds in (0, 1, 3, 1, 1, 4)] == [1, 0, 0, 1, 0, 1]


def test_counts_are_said_soon_and_the_camera_at_once(desk: Desk) -> None:
    desk.later(0)
    desk.status = replace(FRESH, captured=2)
    assert desk.later(0.2) == 0
    assert desk.later(0.9) == 1
    desk.status = replace(desk.status, camera="the stream ended")
    assert desk.later(0.1) == 1
    assert desk.said[-1]["camera"] == "the stream ended"


def test_frames_alone_are_no_news(desk: Desk) -> None:
    desk.later(0)
    desk.status = replace(FRESH, frames=99)
    assert desk.later(2) == 0


def test_none_queue_up_while_the_broker_does_not_answer(desk: Desk) -> None:
    desk.answers = False
    assert desk.later(0) == 1
    assert desk.later(60) == 0
    desk.done()
    assert desk.later(0.1) == 1


def test_fps_is_measured(desk: Desk) -> None:
    desk.later(0)
    desk.status = replace(FRESH, frames=25)
    desk.later(5)
    assert desk.said[-1] == {
        "state": "online",
        "camera": "ok",
        "captured": 1,
        "handed_on": 1,
        "given_up": 0,
        "held": 0,
        "frames": 25,
        "clock": "right",
        "fps": pytest.approx(5.0),
        "last_face": None,
    }
