"""Finds faces in one picture."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import cv2.data

from facefleet.detector.settings import DetectorSettings
from facefleet.detector.source import Image
from facefleet.messaging.event import Box
from facefleet.runtime.service import ServiceError

LONGER_SIDE_PX = 640
"""YuNet sees no frame larger than this: faces of 40 px in 1080p are still found."""
SHORTER_SIDE_PX = 32
"""YuNet's coarsest cell: on less it answers nonsense."""
_NMS_THRESHOLD = 0.3
_TOP_K = 500
_HAAR_SCALE = 1.3
_HAAR_NEIGHBOURS = 5
_HAAR_SURE = 4.0
"""A stage weight that counts as 63 % sure."""

Point = tuple[float, float]
Landmarks = tuple[Point, Point, Point, Point, Point]

cv2.setNumThreads(1)  # one core for each camera: threads would only wait for one another


@dataclass(frozen=True, slots=True)
class Face:
    """One face, in pixels of the frame. Landmarks: right eye, left eye, nose, right and left mouth corner."""

    box: Box
    score: float
    landmarks: Landmarks | None = None


class FaceFinder(Protocol):
    """Finds faces."""

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture; boxes lie within it."""
        ...


def choose_finder(settings: DetectorSettings) -> FaceFinder:
    """Return the finder that the settings name.

    Raises:
        ServiceError: when its model is missing or damaged.
    """
    if settings.finder == "haar":
        return HaarFinder(settings.min_face_px)
    return YuNetFinder(Path(settings.model), settings.score_threshold, settings.min_face_px)


class YuNetFinder:
    """YuNet by cv2.dnn."""

    def __init__(self, model: Path, score_threshold: float, min_face_px: int) -> None:
        """Load the model; see `choose_finder`."""
        if not model.is_file():
            raise ServiceError(
                f"FACEFLEET_MODEL={str(model)!r} is no file: it belongs to the detector's image; "
                "correct the path, or set FACEFLEET_FINDER=haar"
            )
        self._min_face_px = min_face_px
        self._input: tuple[int, int] = (LONGER_SIDE_PX, LONGER_SIDE_PX)
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(model), "", self._input, score_threshold, _NMS_THRESHOLD, _TOP_K
            )
        except cv2.error as error:
            raise ServiceError(
                f"FACEFLEET_MODEL={str(model)!r} is no model that OpenCV can read ({error.err}): "
                "fetch it again"
            ) from None

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture, the surest first."""
        height, width = image.shape[:2]
        scale = min(1.0, LONGER_SIDE_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if min(size) < SHORTER_SIDE_PX:
            return []
        small = image if scale == 1.0 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if size != self._input:
            self._net.setInputSize(size)
            self._input = size
        _, rows = self._net.detect(small)
        # The stub knows no None, which OpenCV returns for "no face".
        found = [] if rows is None else rows.tolist()
        return sorted(
            (face for row in found if (face := self._face(row, width / size[0], height / size[1], image))),
            key=lambda face: -face.score,
        )

    def _face(self, row: list[float], x_scale: float, y_scale: float, image: Image) -> Face | None:
        x, y, width, height, *rest, score = row
        box = within(image, x * x_scale, y * y_scale, width * x_scale, height * y_scale)
        if box is None or min(box.width, box.height) < self._min_face_px:
            return None
        points = [(rest[n] * x_scale, rest[n + 1] * y_scale) for n in range(0, 10, 2)]
        return Face(box, min(1.0, max(0.0, score)), (points[0], points[1], points[2], points[3], points[4]))


class HaarFinder:
    """The frontal-face cascade, as the first version of Facefleet had it."""

    def __init__(self, min_face_px: int) -> None:
        """Load the cascade that comes with OpenCV; see `choose_finder`."""
        file = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(file))
        if self._cascade.empty():
            raise ServiceError(f"{file} cannot be read: install opencv-python-headless again")
        self._min_face_px = min_face_px

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture; the score is the last stage's weight, squashed into 0..1."""
        return list(self._faces(image))

    def _faces(self, image: Image) -> Iterator[Face]:
        boxes, _, weights = self._cascade.detectMultiScale3(
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY),
            scaleFactor=_HAAR_SCALE,
            minNeighbors=_HAAR_NEIGHBOURS,
            minSize=(self._min_face_px, self._min_face_px),
            outputRejectLevels=True,
        )
        for (x, y, width, height), weight in zip(boxes, weights, strict=True):
            box = within(image, x, y, width, height)
            if box:
                yield Face(box, 1.0 - math.exp(-max(0.0, weight) / _HAAR_SURE))


def within(image: Image, x: float, y: float, width: float, height: float) -> Box | None:
    """Return the whole-pixel box clipped to the picture; None if nothing of it is inside."""
    image_height, image_width = image.shape[:2]
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(image_width, round(x + width)), min(image_height, round(y + height))
    if left >= right or top >= bottom:
        return None
    return Box(left, top, right - left, bottom - top)
