"""YuNet on real pictures, run either way."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from facefleet.detector.finding.model import ModelError
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
from facefleet.detector.finding.yunet_opencv import YuNetOpenCV
from facefleet.detector.following.likeness import iou
from facefleet.detector.sources.frame import Image

from .conftest import Clip, assert_sound, pictures_of, read_image

YuNet = YuNetOnnx | YuNetOpenCV
BOTH: tuple[type[YuNet], ...] = (YuNetOnnx, YuNetOpenCV)


@pytest.fixture(scope="module", params=BOTH)
def kind(request: pytest.FixtureRequest) -> type[YuNet]:
    given: type[YuNet] = request.param
    return given


@pytest.fixture(scope="module")
def finder(kind: type[YuNet], model: Path) -> YuNet:
    return kind(model, 0.75, 640)


@pytest.fixture(scope="module")
def woman(clip: Clip) -> Image:
    _, image = next(pictures_of(clip("WolfgangLanger_Pexels.mp4"), 1))
    return image


def test_the_one_face_is_found_in_every_frame(finder: YuNet, clip: Clip) -> None:
    for number, image in pictures_of(clip("WolfgangLanger_Pexels.mp4"), 24):
        faces = finder.find(image)
        assert len(faces) == 1, number
        assert_sound(faces[0], image)
        assert faces[0].box.width > 140


def test_there_is_no_face_in_the_sky_and_then_a_man(finder: YuNet, clip: Clip) -> None:
    found = [bool(finder.find(image)) for _, image in pictures_of(clip("noface_face.mov"), 5)]
    first = found.index(True)
    assert len(found) * 0.4 < first < len(found) * 0.7
    assert all(found[first:])


def test_no_face_is_found_where_there_is_none(finder: YuNet, clip: Clip) -> None:
    assert not any(finder.find(image) for _, image in pictures_of(clip("no_face.mp4"), 6))


def test_every_face_of_a_group_is_found_the_surest_first(finder: YuNet, clip: Clip) -> None:
    image = read_image(clip("multi_face.jpg"))
    faces = finder.find(image)
    assert len(faces) == 5
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    for one, other in itertools.combinations(faces, 2):
        assert iou(one.box, other.box) < 0.3


@pytest.mark.parametrize("longer_side", [320, 640, 1000])
def test_both_ways_find_the_same(model: Path, clip: Clip, longer_side: int) -> None:
    image = read_image(clip("multi_face.jpg"))
    by_onnx, by_opencv = (kind(model, 0.5, longer_side).find(image) for kind in BOTH)
    assert len(by_onnx) == len(by_opencv) >= 5
    for one in by_onnx:
        other = max(by_opencv, key=lambda face: iou(face.box, one.box))
        assert iou(one.box, other.box) > 0.8
        assert one.score == pytest.approx(other.score, abs=0.05)
        assert one.landmarks
        assert other.landmarks
        for point, same in zip(one.landmarks, other.landmarks, strict=True):
            assert point == pytest.approx(same, abs=one.box.width / 10)


def test_landmarks_are_where_they_belong(finder: YuNet, woman: Image) -> None:
    (face,) = finder.find(woman)
    assert face.landmarks
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert face.box.y < right_eye[1] < left_mouth[1] < face.box.y + face.box.height


def test_boxes_come_back_in_the_pixels_of_a_large_frame(finder: YuNet, woman: Image) -> None:
    (small,) = finder.find(woman)
    (large,) = finder.find(np.asarray(cv2.resize(woman, None, fx=3, fy=3), np.uint8))
    for name in ("x", "y", "width", "height"):
        assert getattr(large.box, name) == pytest.approx(3 * getattr(small.box, name), abs=12)


def test_frames_of_other_sizes_do_not_disturb_one_another(finder: YuNet, woman: Image) -> None:
    (before,) = finder.find(woman)
    (upright,) = finder.find(np.ascontiguousarray(woman[:, 250:600]))
    assert upright.box.width == pytest.approx(before.box.width, rel=0.2)
    assert finder.find(woman) == [before]


def test_a_face_cut_by_the_edge_is_clipped(finder: YuNet, woman: Image) -> None:
    (whole,) = finder.find(woman)
    cut = np.ascontiguousarray(woman[:, : whole.box.x + whole.box.width * 3 // 4])
    (face,) = finder.find(cut)
    assert_sound(face, cut)


def test_the_threshold_is_kept(kind: type[YuNet], model: Path, clip: Clip) -> None:
    image = read_image(clip("multi_face.jpg"))
    scores = [face.score for face in kind(model, 0.3, 640).find(image)]
    middle = sorted(scores)[len(scores) // 2]
    found = kind(model, middle - 0.001, 640).find(image)
    assert len(found) == sum(score >= middle - 0.001 for score in scores)


def test_in_the_dark_a_face_is_found(finder: YuNet, woman: Image) -> None:
    assert len(finder.find(np.asarray(woman // 4, np.uint8))) == 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (900, 2, 3), (33, 639, 3), (641, 351, 3)])
def test_odd_shapes_do_no_harm(finder: YuNet, shape: tuple[int, int, int]) -> None:
    assert finder.find(np.zeros(shape, np.uint8)) == []


@pytest.mark.parametrize("keep", [0, 7, 50_000])
def test_a_damaged_model_is_refused(kind: type[YuNet], model: Path, tmp_path: Path, keep: int) -> None:
    damaged = tmp_path / "yunet.onnx"
    damaged.write_bytes(model.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r".+"):
        kind(damaged, 0.75, 640)
