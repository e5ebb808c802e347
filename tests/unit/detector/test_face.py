"""Boxes stay within their picture."""

import numpy as np
from facefleet.detector.finding.face import within
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

PICTURE = np.zeros((90, 120, 3), np.uint8)
sides = st.floats(-200, 200)
lengths = st.floats(0, 300)


@given(sides, sides, lengths, lengths)
def test_within_never_leaves_the_picture(x: float, y: float, width: float, height: float) -> None:
    box = within(PICTURE, x, y, width, height)
    if box is None:
        return
    assert 0 <= box.x < box.x + box.width <= 120
    assert 0 <= box.y < box.y + box.height <= 90


def test_within_keeps_what_is_inside() -> None:
    assert within(PICTURE, 10.4, 20.4, 30.2, 40.2) == Box(10, 20, 31, 41)


def test_what_is_outside_is_nowhere() -> None:
    assert within(PICTURE, 130, 20, 30, 40) is None
