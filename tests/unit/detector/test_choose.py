"""Which finder the settings name, and which of its faces count."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from facefleet.detector.areas import Area
from facefleet.detector.finding.choose import Wanted, choose_finder
from facefleet.detector.finding.face import Face, FaceFinder
from facefleet.detector.finding.haar import Haar
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
from facefleet.detector.finding.yunet_opencv import YuNetOpenCV
from facefleet.detector.sources.frame import Image
from facefleet.runtime.service import ServiceError

from tests.unit.conftest import Lines

from .conftest import Clip, face, read_image, settings_for

PICTURE: Image = np.zeros((400, 1000, 3), np.uint8)


class Found:
    """A finder that finds what it was told to."""

    def __init__(self, *faces: Face) -> None:
        self._faces = faces

    def find(self, _image: Image) -> list[Face]:
        return list(self._faces)


def bare(finder: FaceFinder) -> FaceFinder:
    assert isinstance(finder, Wanted)
    return finder._finder


def test_faces_that_are_too_small_either_way_do_not_count() -> None:
    small, large = face(0, size=23), face(200, size=24)
    assert Wanted(Found(large, small), 24, ()).find(PICTURE) == [large]


@pytest.mark.parametrize(
    ("ignored", "counting"),
    [
        ([], [0, 500]),
        ([Area(0, 0, 0.2, 1)], [500]),
        ([Area(0, 0, 0.049, 1)], [0, 500]),
        ([Area(0, 0, 0.2, 0.1)], [0, 500]),
        ([Area(0, 0, 0.2, 1), Area(0.5, 0.2, 0.2, 0.5)], []),
    ],
)
def test_a_face_whose_centre_is_ignored_does_not_count(
    ignored: Sequence[Area], counting: Sequence[int]
) -> None:
    found = Wanted(Found(face(0), face(500)), 24, ignored).find(PICTURE)
    assert [one.box.x for one in found] == counting


def test_each_finder_has_its_name(model: Path) -> None:
    kinds = {"yunet": YuNetOnnx, "yunet-opencv": YuNetOpenCV, "haar": Haar}
    for name, kind in kinds.items():
        assert isinstance(bare(choose_finder(settings_for("a.mp4", finder=name, model=str(model)))), kind)


def test_without_onnxruntime_opencv_runs_the_model_and_it_is_told(
    model: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert isinstance(bare(choose_finder(settings_for("a.mp4", model=str(model)))), YuNetOpenCV)
    (line,) = lines
    assert line["log_level"] == "warning"
    assert "onnxruntime is not installed" in line["event"]


@pytest.mark.parametrize("finder", ["yunet", "yunet-opencv"])
def test_faces_that_may_only_go_on_are_found_too(model: Path, clip: Clip, finder: str) -> None:
    image = read_image(clip("multi_face.jpg"))

    def found(**thresholds: float) -> int:
        settings = settings_for("a.mp4", finder=finder, model=str(model), min_face_px=1, **thresholds)
        return len(choose_finder(settings).find(image))

    assert found(score_threshold=1.0, follow_threshold=1.0) == 0
    assert found(score_threshold=1.0, follow_threshold=0.5) >= 5
    assert found(score_threshold=0.5, follow_threshold=1.0) >= 5


@pytest.mark.parametrize("finder", ["yunet", "yunet-opencv"])
def test_a_missing_model_is_named(tmp_path: Path, finder: str) -> None:
    with pytest.raises(ServiceError, match=r"FACEFLEET_MODEL=.*yunet\.onnx' is no file"):
        choose_finder(settings_for("a.mp4", finder=finder, model=str(tmp_path / "yunet.onnx")))


@pytest.mark.parametrize("finder", ["yunet", "yunet-opencv"])
def test_a_damaged_model_is_named(tmp_path: Path, finder: str) -> None:
    damaged = tmp_path / "yunet.onnx"
    damaged.write_bytes(b"no model")
    with pytest.raises(ServiceError, match=rf"FACEFLEET_FINDER={finder} .*fetch it again"):
        choose_finder(settings_for("a.mp4", finder=finder, model=str(damaged)))


def test_haar_needs_no_model(tmp_path: Path) -> None:
    settings = settings_for("a.mp4", finder="haar", model=str(tmp_path / "yunet.onnx"))
    assert choose_finder(settings).find(PICTURE) == []
