"""What a source is, and which one the settings name."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2

from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import Frame
from facefleet.detector.sources.live import Ask, LiveSource
from facefleet.detector.sources.pictures import PictureSource
from facefleet.detector.sources.playback import FileSource
from facefleet.runtime.service import ServiceError


class Source(Protocol):
    """Gives frames. They are pulled: what came between two pulls is left out, so nothing queues up."""

    def read(self, not_before: float) -> Frame | None:
        """Wait for a frame of `not_before` or later, on the source's own clock, which begins near 0.

        None means that there will be none: played to the end, or stopped.

        Raises:
            CameraGoneError: when it is lost.
        """
        ...

    def close(self) -> None:
        """Let go of the camera."""
        ...


def paced(source: Source, fps: float) -> Iterator[Frame]:
    """Yield frames to the source's end, at most so many a second; raises as `Source.read` does."""
    not_before = 0.0
    while frame := source.read(not_before):
        not_before = frame.at + 1 / fps
        yield frame


def open_source(settings: DetectorSettings, stop: threading.Event) -> Source:
    """Open what the settings name.

    Raises:
        CameraGoneError: when it cannot be opened now.
    """
    if settings.source_kind == "file":
        path = Path(settings.source)
        if path.is_dir():
            return PictureSource(path, stop, every_s=_every_s(settings), loop=settings.loop)
        return FileSource(path, stop, loop=settings.loop, fast=settings.pace == "fast")
    if settings.source_kind == "pipeline":
        return LiveSource(settings.pipeline, cv2.CAP_GSTREAMER, stop)
    if settings.source_kind == "stream":
        return LiveSource(settings.source, cv2.CAP_FFMPEG, stop)
    ask = Ask(settings.pixel_format, settings.width, settings.height, settings.fps)
    return LiveSource(settings.source, cv2.CAP_V4L2, stop, ask)


def check_source(settings: DetectorSettings) -> None:
    """See that a file is there, and GStreamer if it is asked for; a camera may come later.

    Raises:
        ServiceError: when it is not.
    """
    if settings.source_kind == "file" and not Path(settings.source).exists():
        raise ServiceError(
            f"FACEFLEET_SOURCE={settings.source!r} is no file: "
            "mount it into the container or correct the path"
        )
    if settings.source_kind == "pipeline" and not _has_gstreamer():
        raise ServiceError(
            f"FACEFLEET_SOURCE={settings.source!r} needs an OpenCV that was built with GStreamer, and this "
            "one was not (PyPI's never is): use an image with JetPack's OpenCV, "
            "or v4l2loopback and /dev/video<n>"
        )


def _every_s(settings: DetectorSettings) -> float:
    return 0.0 if settings.pace == "fast" else 1 / settings.detect_fps


def _has_gstreamer() -> bool:
    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))
