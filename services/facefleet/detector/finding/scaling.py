"""Brings a frame to the size in which YuNet sees it, and what it finds back to the frame's."""

from typing import NamedTuple

import cv2
import numpy as np

from facefleet.detector.finding.face import Face, within
from facefleet.detector.sources.frame import Image

SHORTER_SIDE_PX = 32
"""YuNet's coarsest cell: on less it answers nonsense."""
ENLARGED_MOST = 2.0
"""A small picture is enlarged so much at most: more shows YuNet nothing new."""
DARK = 40
"""A picture whose mean is below, of 255, is shown twice as bright: YuNet then finds more at night. More gain
shows it more noise, and it finds less."""
_GAIN = 2.0


class Scaled(NamedTuple):
    """A frame made small, and by how much."""

    image: Image
    factor_x: float
    factor_y: float


def scaled(image: Image, longer_side: int) -> Scaled | None:
    """Return the picture with its longer side as told; None if nothing can be found in one of this shape."""
    height, width = image.shape[:2]
    scale = min(longer_side / max(height, width), ENLARGED_MOST)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < SHORTER_SIDE_PX:
        return None
    if size == (width, height):
        return Scaled(_lightened(image), 1.0, 1.0)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8)
    return Scaled(_lightened(small), width / size[0], height / size[1])


def _lightened(image: Image) -> Image:
    if float(image[::4, ::4].mean()) >= DARK:
        return image
    return np.asarray(cv2.convertScaleAbs(image, alpha=_GAIN), dtype=np.uint8)


def face_of(row: list[float], small: Scaled, image: Image) -> Face | None:
    """Return the face of one row (x, y, width, height, five points, score) in the frame's own pixels."""
    x, y, width, height, *points, score = row
    box = within(
        image, x * small.factor_x, y * small.factor_y, width * small.factor_x, height * small.factor_y
    )
    if box is None:
        return None
    right_eye, left_eye, nose, right_mouth, left_mouth = (
        (points[n] * small.factor_x, points[n + 1] * small.factor_y) for n in range(0, 10, 2)
    )
    return Face(box, min(1.0, max(0.0, score)), (right_eye, left_eye, nose, right_mouth, left_mouth))
