"""Real videos and the real model, which `make unit` gets."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from facefleet.detector.finding.face import Face
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import Decoded, Frame, Image
from facefleet.messaging.event import Box

from tests.demo_files import DEMO, present
from tests.mjpeg import mjpeg_camera

Clip = Callable[[str], Path]
Stream = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture(scope="session")
def clip() -> Clip:
    return lambda name: present(DEMO / "clips" / name)


@pytest.fixture(scope="session")
def model() -> Path:
    return present(DEMO / "model" / "face_detection_yunet_2023mar.onnx")


@pytest.fixture(scope="session")
def yunet(model: Path) -> YuNetOnnx:
    """A finder for tests that do not care which."""
    return YuNetOnnx(model, score_threshold=0.5, longer_side_px=640)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 1 s at 50 fps whose every frame tells its number by its brightness (5 a frame)."""
    file = tmp_path_factory.mktemp("video") / "stripes.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (64, 48))
    for number in range(50):
        writer.write(np.full((48, 64, 3), number * 5, np.uint8))
    writer.release()
    return file


def number_of(frame: Frame) -> int:
    """Which frame of `stripes` it is."""
    return round(float(frame.picture.full().mean()) / 5)


def settings_for(source: object, **more: Any) -> DetectorSettings:
    """What a detector is told; `more` as in its settings."""
    given = {"broker": "mqtt://localhost", "device": "d", "camera": "c", "source": str(source)}
    return DetectorSettings.model_validate(given | more)


def face(x: int, y: int = 100, *, size: int = 100, score: float = 0.9) -> Face:
    return Face(Box(x, y, size, size), score)


def frame_of(image: Image, at: float = 0.0, *, alone: bool = False) -> Frame:
    return Frame(Decoded(image), datetime.now(UTC), at, alone=alone)


def read_image(file: Path) -> Image:
    return np.asarray(cv2.imread(str(file), cv2.IMREAD_COLOR), np.uint8)


def pictures_of(file: Path, step: int) -> Iterator[tuple[int, Image]]:
    """Every so many frames of a video, each with its number."""
    capture = cv2.VideoCapture(str(file))
    number = 0
    while capture.grab():
        if number % step == 0:
            yield number, np.asarray(capture.retrieve()[1], np.uint8)
        number += 1


def assert_sound(found: Face, image: Image) -> None:
    height, width = image.shape[:2]
    box = found.box
    assert 0 <= box.x < box.x + box.width <= width
    assert 0 <= box.y < box.y + box.height <= height
    assert 0 <= found.score <= 1


@pytest.fixture
def stream() -> Stream:
    """A camera that sends `stripes`-like pictures as MJPEG over HTTP at 50 fps."""
    return mjpeg_camera
