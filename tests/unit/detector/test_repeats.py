"""Who is sent when, as properties."""

import itertools

from facefleet.detector.finder import Face
from facefleet.detector.repeats import FORGET_S, Sightings, alike, iou
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

boxes = st.builds(
    Box,
    x=st.integers(0, 1800),
    y=st.integers(0, 1000),
    width=st.integers(40, 300),
    height=st.integers(40, 300),
)
frames = st.lists(st.lists(st.builds(Face, boxes, st.just(0.9)), max_size=5), max_size=30)
repeats = st.floats(0, 10)


def face(x: int, y: int = 100, size: int = 100) -> Face:
    return Face(Box(x, y, size, size), 0.9)


def seconds_sent(sightings: Sightings, x_at: list[int], fps: float = 5.0) -> list[tuple[float, int]]:
    return [
        (index / fps, track)
        for index, x in enumerate(x_at)
        for _, track in sightings.worth_sending([face(x)], index / fps)
    ]


def test_a_face_that_stays_is_sent_at_once_and_then_every_repeat() -> None:
    assert seconds_sent(Sightings(3.0, 1), [200] * 50) == [(0.0, 1), (3.0, 1), (6.0, 1), (9.0, 1)]


def test_a_face_that_walks_stays_the_same() -> None:
    tracks = {track for _, track in seconds_sent(Sightings(3.0, 1), list(range(0, 2000, 40)))}
    assert tracks == {1}


def test_a_face_somewhere_else_is_another() -> None:
    sightings = Sightings(3.0, 7)
    assert [track for _, track in sightings.worth_sending([face(0)], 0.0)] == [7]
    assert [track for _, track in sightings.worth_sending([face(0), face(600)], 0.2)] == [8]


def test_a_short_absence_is_forgiven_and_a_long_one_is_not() -> None:
    sightings = Sightings(3.0, 1)
    sightings.worth_sending([face(0)], 0.0)
    assert sightings.worth_sending([face(0)], FORGET_S - 0.1) == []
    assert sightings.worth_sending([face(0)], 2 * FORGET_S + 0.1) == [(face(0), 2)]


def test_two_faces_side_by_side_do_not_swap() -> None:
    sightings = Sightings(0.0, 1)
    for step in range(20):
        sent = sightings.worth_sending([face(130 + 3 * step), face(3 * step)], step / 5)
        assert {track: one.box.x - 3 * step for one, track in sent} == {1: 130, 2: 0}


def test_one_of_two_leaves_and_the_other_keeps_its_number() -> None:
    sightings = Sightings(0.0, 1)
    sightings.worth_sending([face(0), face(150)], 0.0)
    assert sightings.worth_sending([face(150)], 0.2) == [(face(150), 2)]


def test_a_much_larger_face_nearby_is_another_person() -> None:
    assert alike(Box(100, 100, 50, 50), Box(60, 60, 200, 200)) is None


@given(frames, repeats)
def test_no_two_faces_of_a_frame_share_a_number_and_new_numbers_rise(
    seen: list[list[Face]], repeat_s: float
) -> None:
    sightings = Sightings(repeat_s, 5)
    highest = 4
    for index, faces in enumerate(seen):
        sent = sightings.worth_sending(faces, index / 5)
        numbers = [track for _, track in sent]
        assert len(set(numbers)) == len(numbers)
        assert all(one in faces for one, _ in sent)
        new = [number for number in numbers if number > highest]
        assert new == list(range(highest + 1, highest + 1 + len(new)))
        highest += len(new)


@given(frames, repeats)
def test_no_number_is_sent_twice_within_the_repeat(seen: list[list[Face]], repeat_s: float) -> None:
    sightings = Sightings(repeat_s, 1)
    times: dict[int, list[float]] = {}
    for index, faces in enumerate(seen):
        for _, track in sightings.worth_sending(faces, index / 5):
            times.setdefault(track, []).append(index / 5)
    for sent in times.values():
        assert all(later - earlier >= repeat_s for earlier, later in itertools.pairwise(sent))


@given(frames)
def test_each_face_is_sent_at_least_once_when_nothing_is_held_back(seen: list[list[Face]]) -> None:
    sightings = Sightings(0.0, 1)
    for index, faces in enumerate(seen):
        assert len(sightings.worth_sending(faces, index / 5)) == len(faces)


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(one: Box, other: Box) -> None:
    assert 0.0 <= iou(one, other) == iou(other, one) <= 1.0
    assert iou(one, one) == 1.0
