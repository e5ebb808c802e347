"""Frames made small for the model, and what it finds back in the frame's pixels."""

import numpy as np
import pytest
from facefleet.detector.finding.scaling import DARK, ENLARGED_MOST, SHORTER_SIDE_PX, face_of, scaled
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

from .conftest import assert_sound


@given(st.integers(1, 1500), st.integers(1, 1500), st.sampled_from([160, 320, 640]))
def test_a_frame_fits_or_nothing_can_be_found_in_it(wide: int, high: int, longer: int) -> None:
    image = np.full((high, wide, 3), 90, np.uint8)
    small = scaled(image, longer)
    if small is None:
        shorter = min(wide, high) * min(ENLARGED_MOST, longer / max(wide, high))
        assert round(shorter) < SHORTER_SIDE_PX
        return
    rows, columns = small.image.shape[:2]
    assert min(rows, columns) >= SHORTER_SIDE_PX
    assert max(rows, columns) <= longer
    assert max(rows, columns) == longer or longer > ENLARGED_MOST * max(wide, high)
    assert (small.factor_x * columns, small.factor_y * rows) == (pytest.approx(wide), pytest.approx(high))


def test_a_frame_of_the_right_size_is_left_alone() -> None:
    image = np.full((360, 640, 3), 90, np.uint8)
    small = scaled(image, 640)
    assert small
    assert small.image is image
    assert small[1:] == (1.0, 1.0)


@pytest.mark.parametrize(("level", "shown"), [(DARK - 1, 2 * (DARK - 1)), (DARK, DARK)])
def test_a_dark_picture_is_shown_brighter_and_the_frame_stays_as_it_is(level: int, shown: int) -> None:
    image = np.full((720, 1280, 3), level, np.uint8)
    small = scaled(image, 640)
    assert small
    assert np.all(small.image == shown)
    assert np.all(image == level)


def test_a_face_comes_back_in_the_pixels_of_the_frame() -> None:
    image = np.full((720, 1280, 3), 90, np.uint8)
    small = scaled(image, 640)
    assert small
    row = [10.0, 20.0, 30.0, 40.0, *(float(n) for n in range(10)), 1.2]
    found = face_of(row, small, image)
    assert found
    assert found.box == Box(20, 40, 60, 80)
    assert found.landmarks == ((0, 2), (4, 6), (8, 10), (12, 14), (16, 18))
    assert found.score == 1.0
    assert_sound(found, image)


def test_a_face_outside_of_the_frame_is_none() -> None:
    image = np.full((720, 1280, 3), 90, np.uint8)
    small = scaled(image, 640)
    assert small
    assert face_of([700.0, 0.0, 30.0, 40.0, *[0.0] * 10, 0.9], small, image) is None
