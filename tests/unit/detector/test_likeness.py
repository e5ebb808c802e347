"""Which boxes can be the same face."""

import pytest
from facefleet.detector.following.likeness import iou, likeness
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

FACE = Box(100, 100, 50, 50)
boxes = st.builds(
    Box,
    x=st.integers(0, 1800),
    y=st.integers(0, 1000),
    width=st.integers(40, 300),
    height=st.integers(40, 300),
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_a_share(one: Box, other: Box) -> None:
    assert 0.0 <= iou(one, other) == iou(other, one) <= 1.0
    assert iou(one, one) == 1.0


def test_boxes_that_only_touch_share_nothing() -> None:
    assert iou(FACE, Box(150, 100, 50, 50)) == 0.0


def test_half_of_a_box_is_a_third_of_both() -> None:
    assert iou(FACE, Box(125, 100, 50, 50)) == pytest.approx(1 / 3)


def test_a_much_larger_face_nearby_is_another_person() -> None:
    assert likeness(FACE, Box(60, 60, 200, 200), 10.0) is None
    assert likeness(FACE, Box(99, 99, 101, 101), 10.0) is None
    assert likeness(FACE, Box(99, 99, 100, 100), 10.0) is not None


def test_apart_it_is_the_same_face_as_far_as_told() -> None:
    beside = Box(160, 100, 50, 50)  # 1.2 widths
    assert likeness(FACE, beside, 1.19) is None
    assert likeness(FACE, beside, 1.21) == pytest.approx(-1.2)


def test_boxes_that_overlap_well_are_the_same_face_whatever_is_told() -> None:
    assert likeness(FACE, Box(120, 100, 50, 50), 0.0) is not None
    assert likeness(FACE, Box(140, 100, 50, 50), 0.0) is None


@given(boxes, boxes, st.floats(0, 3))
def test_likeness_is_symmetric_and_most_for_the_same_box(one: Box, other: Box, most: float) -> None:
    near = likeness(one, other, most)
    assert near == likeness(other, one, most)
    assert likeness(one, one, most) == 1.0
    assert near is None or near <= 1.0
