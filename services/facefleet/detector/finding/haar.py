"""The frontal-face cascade, as the first version of Facefleet had it."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import cv2.data

from facefleet.detector.finding.face import Face, within
from facefleet.detector.finding.model import ModelError
from facefleet.detector.sources.frame import Image

_SCALE = 1.3
_NEIGHBOURS = 5
_SURE = 4.0
"""A stage weight that counts as 63 % sure."""


class Haar:
    """Finds faces that look straight into the camera."""

    def __init__(self, min_face_px: int) -> None:
        """Load the cascade that comes with OpenCV.

        Raises:
            ModelError: when it did not come.
        """
        file = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(file))
        if self._cascade.empty():
            raise ModelError(f"{file} cannot be read: install opencv-python-headless again")
        self._min_face_px = min_face_px

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture; the score is the last stage's weight, squashed into 0..1."""
        return sorted(self._faces(image), key=lambda face: -face.score)

    def _faces(self, image: Image) -> Iterator[Face]:
        boxes, _, weights = self._cascade.detectMultiScale3(
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
            scaleFactor=_SCALE,
            minNeighbors=_NEIGHBOURS,
            minSize=(self._min_face_px, self._min_face_px),
            outputRejectLevels=True,
        )
        for (x, y, width, height), weight in zip(boxes, weights, strict=True):
            box = within(image, x, y, width, height)
            if box:
                yield Face(box, 1.0 - math.exp(-max(0.0, weight) / _SURE))
