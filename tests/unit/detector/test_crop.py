"""Crops, at the edges above all."""

import cv2
import numpy as np
import pytest
from facefleet.detector.crop import crop
from facefleet.detector.source import Image
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

GENERATOR = np.random.default_rng(1)
PICTURE: Image = GENERATOR.integers(0, 256, (120, 160, 3), dtype=np.uint8)


def decoded(png: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_the_margin_is_on_each_side_and_every_pixel_is_kept() -> None:
    png = crop(PICTURE, Box(40, 40, 40, 20), 0.25)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert np.array_equal(decoded(png), PICTURE[35:65, 30:90])


def test_no_margin_is_the_box() -> None:
    assert np.array_equal(decoded(crop(PICTURE, Box(1, 2, 3, 4), 0.0)), PICTURE[2:6, 1:4])


@pytest.mark.parametrize(
    ("box", "shape"),
    [
        (Box(0, 0, 40, 40), (50, 50, 3)),
        (Box(120, 80, 40, 40), (50, 50, 3)),
        (Box(0, 0, 160, 120), (120, 160, 3)),
        (Box(159, 119, 1, 1), (1, 1, 3)),
    ],
)
def test_the_margin_stops_at_the_edge(box: Box, shape: tuple[int, int, int]) -> None:
    assert decoded(crop(PICTURE, box, 0.25)).shape == shape


def test_a_box_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        crop(PICTURE, Box(500, 500, 10, 10), 0.25)


@given(st.integers(0, 159), st.integers(0, 119), st.integers(1, 160), st.integers(1, 120), st.floats(0, 2))
def test_every_box_in_the_frame_gives_a_picture_at_least_as_large(
    x: int, y: int, width: int, height: int, margin: float
) -> None:
    box = Box(x, y, min(width, 160 - x), min(height, 120 - y))
    high, wide, _ = decoded(crop(PICTURE, box, margin)).shape
    assert box.width <= wide <= 160
    assert box.height <= high <= 120
