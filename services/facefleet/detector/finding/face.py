"""What a finder finds."""

from dataclasses import dataclass
from typing import Protocol

from facefleet.detector.sources.frame import Image
from facefleet.messaging.event import Box

Point = tuple[float, float]
Landmarks = tuple[Point, Point, Point, Point, Point]
"""Right eye, left eye, nose, right and left corner of the mouth, in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face, in pixels of the frame. `score` is 0 to 1."""

    box: Box
    score: float
    landmarks: Landmarks | None = None


class FaceFinder(Protocol):
    """Finds faces."""

    def find(self, image: Image) -> list[Face]:
        """Return the faces of a picture, the surest first; boxes lie within it."""
        ...


def within(image: Image, x: float, y: float, width: float, height: float) -> Box | None:
    """Return the whole-pixel box clipped to the picture; None if nothing of it is inside."""
    image_height, image_width = image.shape[:2]
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(image_width, round(x + width)), min(image_height, round(y + height))
    if left >= right or top >= bottom:
        return None
    return Box(left, top, right - left, bottom - top)
