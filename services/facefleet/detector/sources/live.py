"""A live camera: a V4L2 device, a network stream, or a GStreamer pipeline."""

import queue
import threading
import time
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import cv2
import numpy as np

from facefleet.detector.sources.capture import opened, retrieved
from facefleet.detector.sources.frame import CameraGoneError, Decoded, Frame, Jpeg, Picture
from facefleet.runtime import logs

OPEN_TIMEOUT_S = 8.0
READ_TIMEOUT_S = 5.0
STOP_LOOK_S = 0.2
DECODER_THREADS = 2

PixelFormat = Literal["auto", "mjpeg", "yuyv"]
_FOURCC = {"mjpeg": "MJPG", "yuyv": "YUYV"}
_RATE_OFF = 0.5
"""Frames a second that a camera may be off without a word."""

_log = logs.get("detector")


class Ask(NamedTuple):
    """What a USB camera is asked for; 0 leaves it as the camera has it."""

    pixel_format: PixelFormat = "auto"
    width: int = 0
    height: int = 0
    fps: float = 0.0


class LiveSource:
    """Follows a camera.

    A thread of its own takes every frame off the camera, and hands on only the one that was asked for: a
    driver or network read that hangs cannot hang the service, and never more than the newest frame waits.
    """

    def __init__(self, source: str, backend: int, stop: threading.Event, ask: Ask | None = None) -> None:
        """Begin to open it: the first `read` tells how that went. `backend` is a cv2.CAP_ constant."""
        self._stop = stop
        self._ask = ask
        self._closed = threading.Event()
        self._wanted = threading.Event()
        self._handed: queue.SimpleQueue[Frame | CameraGoneError] = queue.SimpleQueue()
        self._opened = False
        self._began = time.monotonic()
        threading.Thread(target=self._follow, args=(source, backend), name="camera", daemon=True).start()

    def read(self, not_before: float = 0.0) -> Frame | None:
        """Return the next frame that the camera gives from then on; see `Source.read`."""
        if self._stop.wait(max(0.0, self._began + not_before - time.monotonic())):
            return None
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
            capture = opened(source, backend, _options(backend))
        except CameraGoneError as error:
            self._handed.put(error)
            return
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if self._ask:
            ask_camera(capture, self._ask, source)
        try:
            while not self._closed.is_set() and capture.grab():
                if self._wanted.is_set():
                    self._wanted.clear()
                    self._handed.put(self._frame(capture))
            self._handed.put(CameraGoneError("the stream ended"))
        except CameraGoneError as error:
            self._handed.put(error)
        finally:
            capture.release()

    def _frame(self, capture: cv2.VideoCapture) -> Frame:
        return Frame(picture_of(retrieved(capture)), datetime.now(UTC), time.monotonic() - self._began)


def ask_camera(capture: cv2.VideoCapture, ask: Ask, source: str) -> None:
    """Set what is asked for, and say what the camera does instead; it goes on with that."""
    if ask.pixel_format != "auto":
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*_FOURCC[ask.pixel_format]))
    wishes = {
        cv2.CAP_PROP_FRAME_WIDTH: ask.width,
        cv2.CAP_PROP_FRAME_HEIGHT: ask.height,
        cv2.CAP_PROP_FPS: ask.fps,
    }
    for name, value in wishes.items():
        if value:
            capture.set(name, value)
    width, height, fps = (capture.get(name) for name in wishes)
    given = _fourcc(capture)
    if given == _FOURCC["mjpeg"]:  # its frames are decoded here, and only as far as needed
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    asked = (_FOURCC.get(ask.pixel_format, given), ask.width or width, ask.height or height, ask.fps or fps)
    if asked[:3] == (given, width, height) and abs(asked[3] - fps) <= _RATE_OFF:
        _log.info("camera opened", source=source, gives=_mode(given, width, height, fps))
    else:
        _log.warning(
            "the camera gives something else",
            source=source,
            asked=_mode(*asked),
            gives=_mode(given, width, height, fps),
            remedy="see what it can do: v4l2-ctl --list-formats-ext; correct the camera's width, height, fps",
        )


def picture_of(data: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Picture:
    """Return the picture of what a capture gave: pixels, or the bytes of one JPEG as a single row."""
    if data.ndim == 3 and data.shape[2] == 3:  # noqa: PLR2004 - blue, green, red
        return Decoded(data)
    return Jpeg(data.reshape(-1))


def _mode(pixel_format: str, width: float, height: float, fps: float) -> str:
    return f"{pixel_format or '?'} {width:.0f}x{height:.0f} at {fps:.0f}/s"


def _fourcc(capture: cv2.VideoCapture) -> str:
    number = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF  # -1 where it does not know
    return number.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")


def _options(backend: int) -> list[int]:
    if backend != cv2.CAP_FFMPEG:
        return []
    return [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(OPEN_TIMEOUT_S * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(READ_TIMEOUT_S * 1000)),
        *(cv2.CAP_PROP_N_THREADS, DECODER_THREADS),
    ]
