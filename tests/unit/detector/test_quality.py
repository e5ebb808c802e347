"""How good a picture of a face is."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from facefleet.detector.finding.face import Face, Landmarks
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
from facefleet.detector.following.quality import (
    AT_THE_EDGE,
    FULL_SIZE_PX,
    UNKNOWN_FRONTALITY,
    frontality,
    quality,
    sharpness,
)
from facefleet.detector.sources.frame import Image
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Clip, face, pictures_of, read_image

NOISE: Image = np.random.default_rng(3).integers(0, 256, (400, 600, 3), dtype=np.uint8)


def looking(aside: float, apart: float = 40.0) -> Landmarks:
    """Eyes so far apart, the nose so many of these distances from between them."""
    middle = (100.0 + apart / 2 + aside * apart, 120.0)
    return ((100.0, 100.0), (100.0 + apart, 100.0), middle, (105.0, 140.0), (135.0, 140.0))


def blurred(image: Image, by: int) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (by, by), 0), np.uint8)


@pytest.fixture(scope="module")
def woman(clip: Clip, yunet: YuNetOnnx) -> tuple[Face, Image]:
    _, image = next(pictures_of(clip("WolfgangLanger_Pexels.mp4"), 1))
    (found,) = yunet.find(image)
    return found, image


def test_who_looks_into_the_camera_is_all_frontal_and_who_turns_away_less() -> None:
    aside = [frontality(looking(turned)) for turned in (0.0, 0.2, 0.4, 0.6, 2.0)]
    assert aside[0] == 1.0
    assert aside == sorted(set(aside), reverse=True)
    assert aside[-1] == pytest.approx(0.2)
    assert frontality(looking(-0.3)) == pytest.approx(frontality(looking(0.3)))


def test_a_head_that_is_tilted_is_as_frontal() -> None:
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    right_eye, left_eye, nose, right, left = ((float(x), float(y)) for x, y in looking(0.3) @ turn.T)
    assert frontality((right_eye, left_eye, nose, right, left)) == pytest.approx(frontality(looking(0.3)))


def test_eyes_in_one_place_are_a_profile_and_none_are_unknown() -> None:
    assert frontality(looking(0.0, apart=0.5)) == pytest.approx(0.2)
    assert frontality(None) == UNKNOWN_FRONTALITY


def test_the_more_blurred_the_less_sharp(woman: tuple[Face, Image]) -> None:
    found, image = woman
    sharp = [sharpness(found, image), *(sharpness(found, blurred(image, by)) for by in (5, 21, 41))]
    assert sharp == sorted(set(sharp), reverse=True)
    assert sharpness(found, np.full_like(image, 90)) == 0.0


def test_a_real_face_is_good_and_a_blurred_one_is_worse(woman: tuple[Face, Image]) -> None:
    found, image = woman
    assert quality(found, image) > 0.6
    assert quality(found, blurred(image, 41)) < 0.7 * quality(found, image)


def test_a_larger_face_is_better_up_to_what_is_needed() -> None:
    widths = (24, 48, FULL_SIZE_PX, 200)
    small, half, full, large = (quality(face(100, size=size), NOISE) for size in widths)
    assert small < half < full == pytest.approx(large, rel=0.1)


@pytest.mark.parametrize("box", [Box(0, 50, 150, 150), Box(450, 50, 150, 150), Box(50, 250, 150, 150)])
def test_a_face_that_the_frame_cuts_is_worth_half(box: Box) -> None:
    image = np.ascontiguousarray(np.tile(NOISE[:50, :50], (8, 12, 1)))
    whole, cut = (quality(Face(each, 0.9), image) for each in (Box(100, 50, 150, 150), box))
    assert cut == pytest.approx(AT_THE_EDGE * whole)


def test_a_surer_face_is_better() -> None:
    assert quality(face(100, score=0.9), NOISE) > quality(face(100, score=0.6), NOISE)


@given(
    st.integers(0, 599),
    st.integers(0, 399),
    st.tuples(st.integers(1, 600), st.integers(1, 400)),
    st.none() | st.tuples(*[st.tuples(st.floats(-50, 700), st.floats(-50, 500))] * 5),
)
def test_quality_is_a_share_whatever_the_face(
    x: int, y: int, size: tuple[int, int], landmarks: Landmarks | None
) -> None:
    box = Box(x, y, min(size[0], 600 - x), min(size[1], 400 - y))
    assert 0.0 <= quality(Face(box, 0.9, landmarks), NOISE) <= 1.0


def test_the_faces_of_a_group_are_all_good_enough_to_be_sent(yunet: YuNetOnnx, clip: Clip) -> None:
    image = read_image(clip("multi_face.jpg"))
    faces = yunet.find(image)
    assert len(faces) >= 5
    assert all(quality(one, image) > 0.1 for one in faces)
    assert all(quality(replace(one, score=1.0), image) >= quality(one, image) for one in faces)
