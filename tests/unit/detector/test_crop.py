"""Crops, at the edges above all, and their encodings."""

from typing import get_args

import cv2
import numpy as np
import pytest
from facefleet.detector.crop import CONTENT_TYPES, Format, cut, encoded
from facefleet.detector.sources.frame import Image
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Clip, read_image

GENERATOR = np.random.default_rng(1)
PICTURE: Image = GENERATOR.integers(0, 256, (120, 160, 3), dtype=np.uint8)
FORMATS: tuple[Format, ...] = get_args(Format)
MARKS: dict[Format, bytes] = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}


def decoded(data: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_the_margin_is_on_each_side_and_every_pixel_is_kept() -> None:
    png = encoded(cut(PICTURE, Box(40, 40, 40, 20), 0.25), "png", 1)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert np.array_equal(decoded(png), PICTURE[35:65, 30:90])


@pytest.fixture(scope="module")
def people(clip: Clip) -> Image:
    return read_image(clip("multi_face.jpg"))[100:400, 100:400]


@pytest.mark.parametrize("how", FORMATS)
def test_what_is_encoded_is_of_its_format_and_can_be_read(people: Image, how: Format) -> None:
    data = encoded(people, how, 90)
    assert data.startswith(MARKS[how])
    assert CONTENT_TYPES[how] == f"image/{how}"
    shown = decoded(data)
    assert shown.shape == people.shape
    assert float(np.abs(shown.astype(int) - people).mean()) < 4


@pytest.mark.parametrize("how", ["jpeg", "webp"])
def test_other_formats_are_smaller_and_at_less_quality_smaller_still(people: Image, how: Format) -> None:
    coarse, fine = encoded(people, how, 50), encoded(people, how, 90)
    assert len(coarse) < len(fine) < len(encoded(people, "png", 90)) / 2


@pytest.mark.parametrize("how", FORMATS)
def test_a_single_pixel_can_be_encoded(how: Format) -> None:
    assert decoded(encoded(PICTURE[:1, :1], how, 90)).shape == (1, 1, 3)


def test_a_crop_is_a_copy_so_that_its_frame_can_go() -> None:
    assert cut(PICTURE, Box(40, 40, 40, 20), 0.25).base is None


def test_no_margin_is_the_box() -> None:
    assert np.array_equal(cut(PICTURE, Box(1, 2, 3, 4), 0.0), PICTURE[2:6, 1:4])


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
    assert cut(PICTURE, box, 0.25).shape == shape


def test_a_box_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        cut(PICTURE, Box(500, 500, 10, 10), 0.25)


@given(st.integers(0, 159), st.integers(0, 119), st.integers(1, 160), st.integers(1, 120), st.floats(0, 2))
def test_every_box_in_the_frame_gives_a_picture_at_least_as_large(
    x: int, y: int, width: int, height: int, margin: float
) -> None:
    box = Box(x, y, min(width, 160 - x), min(height, 120 - y))
    high, wide, _ = cut(PICTURE, box, margin).shape
    assert box.width <= wide <= 160
    assert box.height <= high <= 120
