"""A composed video through the whole pipeline; and the judge can say no."""

from pathlib import Path

import pytest
from facefleet.messaging.event import Box

from tests.bench.detector import scenes
from tests.bench.detector.labelled import REPORTED_ON, pictures
from tests.bench.detector.measured import ours
from tests.bench.detector.scenes import Frame, Truth
from tests.bench.detector.visits import Seen, judge
from tests.demo_files import DEMO, MODEL, present

TWO = Truth(
    30.0,
    90,
    [dict.fromkeys(range(60), (10, 10, 50, 50)), dict.fromkeys(range(60), (200, 10, 50, 50))],
)
LEFT, RIGHT = Box(12, 12, 50, 50), Box(198, 10, 50, 50)


def test_people_who_pass_are_each_one_track(tmp_path: Path) -> None:
    present(MODEL)
    present(DEMO / "labelled" / "testing.xml")
    marked = [each for each in pictures(DEMO / "labelled") if each.part == REPORTED_ON]
    people = scenes.people_of(marked)
    frame = Frame((640, 480), 15.0, 15.0, seed=7)
    file = tmp_path / "passing.mp4"
    truth = scenes.film(scenes.busy(frame, len(people)), people, scenes.street(frame.size, 7), file)
    shots = [Seen(at, track, Box(*box)) for at, track, box in ours(file).shots]
    found = judge(truth, shots)
    assert found.visits >= 3
    assert found == (found.visits, found.visits, 0, 0, 0)
    assert len(shots) <= 4 * found.visits


@pytest.mark.parametrize(
    ("shots", "verdict"),
    [
        ([Seen(1, 1, LEFT), Seen(1, 2, RIGHT)], (2, 2, 0, 0, 0)),
        ([Seen(1, 1, LEFT)], (2, 1, 1, 0, 0)),
        ([Seen(1, 1, LEFT), Seen(1.5, 3, LEFT), Seen(1, 2, RIGHT)], (2, 1, 0, 0, 0)),
        ([Seen(1, 1, LEFT), Seen(1, 1, RIGHT)], (2, 2, 0, 0, 1)),
        ([Seen(1, 1, LEFT), Seen(1, 2, RIGHT), Seen(1, 3, Box(400, 10, 50, 50))], (2, 2, 0, 1, 0)),
        ([Seen(2.5, 1, LEFT)], (2, 0, 2, 1, 0)),
    ],
    ids=["as it should", "one unseen", "one twice", "two in one", "no face", "too late"],
)
def test_the_judge_sees_each_fault(shots: list[Seen], verdict: tuple[int, ...]) -> None:
    assert judge(TWO, shots) == verdict
