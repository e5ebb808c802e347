"""Where frames come from: a file played at its own rate, or a live camera.

Frames are pulled. Whatever the camera gave between two pulls is left out, so nothing ever queues up.
"""

import math
import os
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facefleet.detector.settings import DetectorSettings
from facefleet.runtime.service import ServiceError

Image = NDArray[np.uint8]
"""Height x width x 3, blue-green-red."""

OPEN_TIMEOUT_S = 8.0
READ_TIMEOUT_S = 5.0
STOP_LOOK_S = 0.2
DECODER_THREADS = 2
LATE_MOST_S = 2.0
"""A file further behind than this goes on from where it is."""
_USUAL_FPS = 25.0
_FPS_MOST = 240.0

# Both are read when a capture is opened. Why it fails is in our own line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class CameraGoneError(Exception):
    """The camera cannot be opened or gives no more frames; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and the UTC time at which it was taken."""

    image: Image
    time: datetime


class Source(Protocol):
    """Gives frames, the newest at each pull."""

    def read(self) -> Frame | None:
        """Wait for the next frame; None means that there will be none: played to the end, or stopped.

        Raises:
            CameraGoneError: when it is lost.
        """
        ...

    def close(self) -> None:
        """Let go of the camera."""
        ...


def open_source(settings: DetectorSettings, stop: threading.Event) -> Source:
    """Open what the settings name.

    Raises:
        CameraGoneError: when it cannot be opened now.
    """
    if settings.source_kind == "file":
        return FileSource(Path(settings.source), stop, loop=settings.loop)
    backend = cv2.CAP_V4L2 if settings.source_kind == "device" else cv2.CAP_FFMPEG
    return LiveSource(settings.source, backend, stop)


def check_source(settings: DetectorSettings) -> None:
    """See that a file is there; a camera may come later.

    Raises:
        ServiceError: when it is not.
    """
    if settings.source_kind == "file" and not Path(settings.source).is_file():
        raise ServiceError(
            f"FACEFLEET_SOURCE={settings.source!r} is no file: "
            "mount it into the container or correct the path"
        )


class FileSource:
    """Plays a video file at its own rate."""

    def __init__(self, path: Path, stop: threading.Event, *, loop: bool) -> None:
        """Open the file; see `open_source`."""
        self._path = path
        self._stop = stop
        self._loop = loop
        self._rewind()

    def read(self) -> Frame | None:
        """Return the frame that is due now, or the next one once it is; see `Source.read`."""
        due = self._started + self._position / self._fps
        if self._stop.wait(max(0.0, due - time.monotonic())):
            return None
        late = time.monotonic() - due
        if late > LATE_MOST_S:
            self._started += late
            late = 0.0
        for _ in range(1 + int(late * self._fps)):
            if not self._capture.grab():
                return self._end()
            self._position += 1
        return Frame(_retrieve(self._capture), datetime.now(UTC))

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _end(self) -> Frame | None:
        if not self._position:
            raise CameraGoneError("the file holds no frame that can be decoded")
        if not self._loop:
            return None
        self.close()
        self._rewind()
        return self.read()

    def _rewind(self) -> None:
        self._capture = _open(str(self._path), cv2.CAP_ANY, [])
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._fps = fps if math.isfinite(fps) and 0 < fps <= _FPS_MOST else _USUAL_FPS
        self._position = 0
        self._started = time.monotonic()


class LiveSource:
    """Follows a V4L2 device or a network stream.

    A thread of its own takes every frame off the camera, and decodes to a picture only the one that was
    asked for: a driver or network read that hangs cannot hang the service.
    """

    def __init__(self, source: str, backend: int, stop: threading.Event) -> None:
        """Begin to open it: the first `read` tells how that went. `backend` is a cv2.CAP_ constant."""
        self._stop = stop
        self._closed = threading.Event()
        self._wanted = threading.Event()
        self._handed: queue.SimpleQueue[Frame | CameraGoneError] = queue.SimpleQueue()
        self._opened = False
        threading.Thread(target=self._follow, args=(source, backend), name="camera", daemon=True).start()

    def read(self) -> Frame | None:
        """Return the next frame that the camera gives; see `Source.read`."""
        self._wanted.set()
        limit_s = READ_TIMEOUT_S if self._opened else OPEN_TIMEOUT_S
        deadline = time.monotonic() + limit_s
        while not self._stop.is_set():
            try:
                given = self._handed.get(timeout=STOP_LOOK_S)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise CameraGoneError(f"no frame for {limit_s:.0f} s") from None
                continue
            if isinstance(given, CameraGoneError):
                raise given
            self._opened = True
            return given
        return None

    def close(self) -> None:
        """Have the thread let go of the camera, when its current read returns."""
        self._closed.set()

    def _follow(self, source: str, backend: int) -> None:
        try:
            capture = _open(source, backend, _live_options(backend))
        except CameraGoneError as error:
            self._handed.put(error)
            return
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        try:
            while not self._closed.is_set() and capture.grab():
                if self._wanted.is_set():
                    self._wanted.clear()
                    self._handed.put(Frame(_retrieve(capture), datetime.now(UTC)))
            self._handed.put(CameraGoneError("the stream ended"))
        except CameraGoneError as error:
            self._handed.put(error)
        finally:
            capture.release()


def _live_options(backend: int) -> list[int]:
    if backend != cv2.CAP_FFMPEG:
        return []
    return [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_TIMEOUT_S * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(READ_TIMEOUT_S * 1000)),
        *(cv2.CAP_PROP_N_THREADS, DECODER_THREADS),
    ]


def _open(source: str, backend: int, options: Sequence[int]) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(source, backend, options)
    if not capture.isOpened():
        raise CameraGoneError(_why_not(source, backend))
    return capture


def _why_not(source: str, backend: int) -> str:
    if backend == cv2.CAP_FFMPEG:
        return "no video there: check address, password and that the camera is on"
    if not Path(source).exists():
        return "it is not there: plug it in, or pass it to the container"
    if not os.access(source, os.R_OK):
        return f"user {os.getuid()} may not read it"
    if backend == cv2.CAP_V4L2:
        return "it is in use, or gives no video"
    return "it is not a video that can be decoded"


def _retrieve(capture: cv2.VideoCapture) -> Image:
    ok, image = capture.retrieve()
    if not ok:
        raise CameraGoneError("a frame cannot be decoded")
    return np.asarray(image, dtype=np.uint8)
