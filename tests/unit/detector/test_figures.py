"""What the detector counts."""

import numpy as np
from facefleet.detector import figures
from facefleet.detector.finding.face import Face
from facefleet.detector.following.tracker import Track
from facefleet.detector.pipeline import Followed, Look
from facefleet.detector.sources.frame import Image
from prometheus_client import REGISTRY

from .conftest import face


def value(name: str) -> float:
    return REGISTRY.get_sample_value(f"facefleet_{name}") or 0.0


class Finder:
    def find(self, _image: Image) -> list[Face]:
        return [face(100)]


def test_a_search_is_timed_and_its_finds_go_through() -> None:
    before = value("search_seconds_count")
    assert figures.Timed(Finder()).find(np.zeros((9, 9, 3), np.uint8)) == [face(100)]
    assert value("search_seconds_count") == before + 1


def test_looks_searches_and_faces_are_counted() -> None:
    names = ("frames_read_total", "frames_still_total", "faces_found_total")
    before = [value(name) for name in names]
    track = Track(face(100), 0.0, 0.0)
    figures.looked(Look("motion", [face(100), face(300)], [Followed(1, track, 0.5, "")], ()))
    figures.looked(Look("", (), (), ()))
    assert [value(name) - was for name, was in zip(names, before, strict=True)] == [2, 1, 2]
    assert value("faces_followed") == 1
    assert value("camera_up") == 1


def test_a_lost_camera_follows_nobody() -> None:
    figures.camera_lost()
    assert value("camera_up") == value("faces_followed") == 0


def test_shots_are_counted_and_the_last_one_ends_a_track() -> None:
    before = value("shots_total"), value("tracks_total")
    figures.sent(last=False)
    figures.sent(last=True)
    assert (value("shots_total"), value("tracks_total")) == (before[0] + 2, before[1] + 1)
