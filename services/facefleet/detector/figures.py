"""What the detector counts, for Prometheus."""

import time

from prometheus_client import Counter, Gauge, Summary

from facefleet.detector.finding.face import Face, FaceFinder
from facefleet.detector.pipeline import Look
from facefleet.detector.sources.frame import Image

_frames = Counter("facefleet_frames_read_total", "Frames that were looked at")
_still = Counter("facefleet_frames_still_total", "Of these, those not searched: nothing had moved")
_faces = Counter("facefleet_faces_found_total", "Faces found, in all searches")
_search = Summary(
    "facefleet_search_seconds", "What a search for faces takes; its count is that of the searches"
)
_followed = Gauge("facefleet_faces_followed", "Faces followed just now")
_tracks = Counter("facefleet_tracks_total", "Faces that were gone again, after one shot or more")
_shots = Counter("facefleet_shots_total", "Shots sent")
_camera = Gauge("facefleet_camera_up", "1 while the camera gives frames")
_paused = Gauge("facefleet_camera_paused", "1 while the camera is closed because the operator paused it")


class Timed:
    """A finder whose time is taken."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder

    def find(self, image: Image) -> list[Face]:
        """Find, and take the time."""
        begun = time.perf_counter()
        faces = self._finder.find(image)
        _search.observe(time.perf_counter() - begun)
        return faces


def looked(look: Look) -> None:
    """Count one frame."""
    _camera.set(1)
    _frames.inc()
    if not look.searched:
        _still.inc()
        return
    _faces.inc(len(look.faces))
    _followed.set(len(look.followed))


def sent(*, last: bool) -> None:
    """Count one shot."""
    _shots.inc()
    if last:
        _tracks.inc()


def camera_lost() -> None:
    """Tell that no frame comes."""
    _camera.set(0)
    _paused.set(0)
    _followed.set(0)


def camera_paused() -> None:
    """Tell that no frame comes, and that none should."""
    camera_lost()
    _paused.set(1)
