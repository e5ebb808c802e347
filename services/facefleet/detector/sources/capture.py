"""Opens what OpenCV can capture from, and says in words why it cannot."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facefleet.detector.sources.frame import CameraGoneError, Image

# Both are read when a capture is opened. Why it fails is in our own line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
cv2.setNumThreads(1)  # one core for each camera: threads would only wait for one another


def opened(source: str, backend: int, options: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a file, device, address or pipeline; `backend` is a cv2.CAP_ constant.

    Raises:
        CameraGoneError: when it does not open.
    """
    capture = cv2.VideoCapture(source, backend, list(options))
    if not capture.isOpened():
        raise CameraGoneError(_why_not(source, backend))
    return capture


def retrieved(capture: cv2.VideoCapture) -> Image:
    """Decode the frame that was grabbed.

    Raises:
        CameraGoneError: when it cannot be decoded.
    """
    ok, image = capture.retrieve()
    if not ok:
        raise CameraGoneError("a frame cannot be decoded")
    return np.asarray(image, dtype=np.uint8)


def _why_not(source: str, backend: int) -> str:
    if backend == cv2.CAP_FFMPEG:
        return "no video there: check address, password and that the camera is on"
    if backend == cv2.CAP_GSTREAMER:
        return "the pipeline does not start: try it with gst-launch-1.0 on the device, fakesink for appsink"
    if not Path(source).exists():
        return "it is not there: plug it in, or pass it to the container"
    if not os.access(source, os.R_OK):
        return f"user {os.getuid()} may not read it"
    if backend == cv2.CAP_V4L2:
        return "it is in use, or gives no video"
    return "it is not a video that can be decoded"
