"""Pictures: what is not looked at is not decoded, and both kinds show the same."""

import struct

import cv2
import numpy as np
import pytest
from facefleet.detector.gate import WIDTH_PX
from facefleet.detector.sources import frame as frame_module
from facefleet.detector.sources.frame import CameraGoneError, Decoded, Image, Jpeg
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Clip, pictures_of


def jpeg_of(image: Image) -> Jpeg:
    return Jpeg(np.asarray(cv2.imencode(".jpg", image)[1], np.uint8))


@pytest.fixture(scope="module")
def image(clip: Clip) -> Image:
    _, first = next(pictures_of(clip("WolfgangLanger_Pexels.mp4"), 1))
    return np.asarray(cv2.resize(first, (1280, 720)), np.uint8)


def test_a_jpeg_is_decoded_when_it_is_asked_for_and_once(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    decode = frame_module._decoded

    def counting(data: Image, how: int) -> Image:
        asked.append(how)
        return decode(data, how)

    monkeypatch.setattr(frame_module, "_decoded", counting)
    picture = jpeg_of(image)
    assert asked == []
    picture.luma(WIDTH_PX)
    assert asked == [cv2.IMREAD_REDUCED_GRAYSCALE_8]
    assert picture.full() is picture.full()
    assert asked[1:] == [cv2.IMREAD_COLOR]


def test_a_jpeg_shows_what_was_encoded(image: Image) -> None:
    shown = jpeg_of(image).full()
    assert shown.shape == image.shape
    assert float(np.abs(shown.astype(int) - image).mean()) < 3


@pytest.mark.parametrize(("width", "most"), [(640, 6.0), (1280, 3.0)])
def test_both_kinds_have_the_same_luma(image: Image, width: int, most: float) -> None:
    scaled = np.asarray(cv2.resize(image, (width, width * 9 // 16)), np.uint8)
    one, other = Decoded(scaled).luma(WIDTH_PX), jpeg_of(scaled).luma(WIDTH_PX)
    assert one.shape == other.shape == (90, WIDTH_PX)
    assert one.dtype == other.dtype == np.uint8
    assert float(np.abs(one.astype(int) - other).mean()) < most
    assert float(one.mean()) == pytest.approx(float(other.mean()), abs=1)


@given(st.integers(1, 2000), st.integers(1, 60), st.integers(1, 200))
def test_the_luma_is_as_wide_as_asked_whatever_the_picture(wide: int, high: int, width: int) -> None:
    luma = Decoded(np.full((high, wide, 3), 77, np.uint8)).luma(width)
    assert luma.shape[1] == width
    assert np.all(luma == 77)


def of_impossible_size(jpeg: bytes) -> bytes:
    """The same, saying that it is 65 500 pixels wide and high."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", 65_500, 65_500) + jpeg[at + 4 :]


def assert_cannot_be_decoded(data: bytes) -> None:
    picture = Jpeg(np.frombuffer(data, np.uint8))
    for look in (picture.full, lambda: picture.luma(WIDTH_PX)):
        with pytest.raises(CameraGoneError, match="cannot be decoded"):
            look()


@given(st.binary(min_size=1, max_size=200))
def test_a_damaged_jpeg_loses_the_camera_not_the_service(data: bytes) -> None:
    assert_cannot_be_decoded(data)


def test_a_frame_without_a_byte_loses_the_camera_not_the_service() -> None:
    assert_cannot_be_decoded(b"")


def test_a_jpeg_of_impossible_size_loses_the_camera_not_the_service(image: Image) -> None:
    data = of_impossible_size(cv2.imencode(".jpg", image)[1].tobytes())
    with pytest.raises(CameraGoneError, match="cannot be decoded"):
        Jpeg(np.frombuffer(data, np.uint8)).full()
