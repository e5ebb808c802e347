"""Real faces and the real model, which `make unit` gets."""

import cv2
import numpy as np
import pytest
from facefleet.detector.crop import cut, encoded
from facefleet.detector.finding.face import FaceFinder
from facefleet.detector.finding.yunet_onnx import YuNetOnnx

from tests.demo_files import DEMO, present


@pytest.fixture(scope="session")
def yunet() -> FaceFinder:
    model = present(DEMO / "model" / "face_detection_yunet_2023mar.onnx")
    return YuNetOnnx(model, 0.75, 640)


@pytest.fixture(scope="session")
def crops(yunet: FaceFinder) -> list[bytes]:
    """PNG crops as the detector makes them: a woman, a man, and five people of a group."""
    found = []
    for name, frames in (
        ("WolfgangLanger_Pexels.mp4", range(0, 472, 60)),
        ("noface_face.mov", range(100, 165, 20)),
    ):
        capture = cv2.VideoCapture(str(present(DEMO / "clips" / name)))
        for number in range(max(frames) + 1):
            capture.grab()
            if number in frames:
                image = np.asarray(capture.retrieve()[1], np.uint8)
                found += [encoded(cut(image, face.box, 0.25), "png", 90) for face in yunet.find(image)]
    group = np.asarray(cv2.imread(str(present(DEMO / "clips" / "multi_face.jpg"))), np.uint8)
    return found + [encoded(cut(group, face.box, 0.25), "png", 90) for face in yunet.find(group)]
