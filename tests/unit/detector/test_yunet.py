"""Both finders, on real videos."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from facefleet.detector.finder import Face, FaceFinder, HaarFinder, YuNetFinder, within
from facefleet.detector.source import Image
from facefleet.messaging.event import Box
from facefleet.runtime.service import ServiceError
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Clip


def pictures(file: Path, step: int) -> Iterator[tuple[int, Image]]:
    capture = cv2.VideoCapture(str(file))
    number = 0
    while capture.grab():
        if number % step == 0:
            yield number, np.asarray(capture.retrieve()[1], np.uint8)
        number += 1


def assert_sound(face: Face, image: Image) -> None:
    height, width = image.shape[:2]
    box = face.box
    assert 0 <= box.x < box.x + box.width <= width
    assert 0 <= box.y < box.y + box.height <= height
    assert 0 <= face.score <= 1


def test_yunet_finds_the_one_face_in_every_frame(yunet: YuNetFinder, clip: Clip) -> None:
    for number, image in pictures(clip("WolfgangLanger_Pexels.mp4"), 24):
        faces = yunet.find(image)
        assert len(faces) == 1, number
        assert_sound(faces[0], image)
        assert faces[0].box.width > 140


def test_yunet_finds_no_face_in_the_sky_and_then_a_man(yunet: YuNetFinder, clip: Clip) -> None:
    found = [bool(yunet.find(image)) for _, image in pictures(clip("noface_face.mov"), 5)]
    first = found.index(True)
    assert len(found) * 0.4 < first < len(found) * 0.7
    assert all(found[first:])


def test_yunet_finds_no_face_where_there_is_none(yunet: YuNetFinder, clip: Clip) -> None:
    assert not any(yunet.find(image) for _, image in pictures(clip("no_face.mp4"), 6))


def test_yunet_finds_every_face_of_a_group_the_surest_first(yunet: YuNetFinder, clip: Clip) -> None:
    image = np.asarray(cv2.imread(str(clip("multi_face.jpg"))), np.uint8)
    faces = yunet.find(image)
    assert len(faces) == 5
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)


def test_landmarks_are_where_they_belong(yunet: YuNetFinder, clip: Clip) -> None:
    _, image = next(pictures(clip("WolfgangLanger_Pexels.mp4"), 1))
    (face,) = yunet.find(image)
    assert face.landmarks
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert face.box.y < right_eye[1] < left_mouth[1] < face.box.y + face.box.height


def test_boxes_come_back_in_the_pixels_of_a_large_frame(yunet: YuNetFinder, clip: Clip) -> None:
    _, image = next(pictures(clip("WolfgangLanger_Pexels.mp4"), 1))
    (small,) = yunet.find(image)
    (large,) = yunet.find(np.asarray(cv2.resize(image, None, fx=3, fy=3), np.uint8))
    for name in ("x", "y", "width", "height"):
        assert getattr(large.box, name) == pytest.approx(3 * getattr(small.box, name), abs=12)


def test_a_face_cut_by_the_edge_is_clipped(yunet: YuNetFinder, clip: Clip) -> None:
    _, image = next(pictures(clip("WolfgangLanger_Pexels.mp4"), 1))
    (whole,) = yunet.find(image)
    cut = image[:, : whole.box.x + whole.box.width * 3 // 4]
    (face,) = yunet.find(np.ascontiguousarray(cut))
    assert_sound(face, cut)


def test_small_faces_are_left_out(model: Path, clip: Clip) -> None:
    _, image = next(pictures(clip("WolfgangLanger_Pexels.mp4"), 1))
    assert not YuNetFinder(model, 0.75, min_face_px=400).find(image)


def test_haar_finds_the_face_and_its_score_is_a_share(clip: Clip) -> None:
    finder: FaceFinder = HaarFinder(40)
    frames = list(pictures(clip("WolfgangLanger_Pexels.mp4"), 48))
    found = [finder.find(image) for _, image in frames]
    assert sum(map(bool, found)) >= len(frames) / 2
    for faces, (_, image) in zip(found, frames, strict=True):
        for face in faces:
            assert_sound(face, image)


def test_haar_finds_nothing_in_an_empty_picture() -> None:
    assert HaarFinder(40).find(np.zeros((360, 640, 3), np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (900, 2, 3)])
def test_odd_shapes_do_no_harm(yunet: YuNetFinder, shape: tuple[int, int, int]) -> None:
    assert yunet.find(np.zeros(shape, np.uint8)) == []


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"FACEFLEET_MODEL=.*yunet\.onnx' is no file"):
        YuNetFinder(tmp_path / "yunet.onnx", 0.75, 40)


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "yunet.onnx"
    damaged.write_bytes(b"no model")
    with pytest.raises(ServiceError, match="fetch it again"):
        YuNetFinder(damaged, 0.75, 40)


sides = st.floats(-200, 200)
lengths = st.floats(0, 300)


@given(sides, sides, lengths, lengths)
def test_within_never_leaves_the_picture(x: float, y: float, width: float, height: float) -> None:
    box = within(np.zeros((90, 120, 3), np.uint8), x, y, width, height)
    if box is None:
        return
    assert 0 <= box.x < box.x + box.width <= 120
    assert 0 <= box.y < box.y + box.height <= 90


def test_within_keeps_what_is_inside() -> None:
    assert within(np.zeros((90, 120, 3), np.uint8), 10.4, 20.4, 30.2, 40.2) == Box(10, 20, 31, 41)
