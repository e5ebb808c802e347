"""One picture of a camera. What is not looked at is not decoded."""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Height x width x 3, blue-green-red."""
Luma = NDArray[np.uint8]
"""Height x width, brightness."""


class CameraGoneError(Exception):
    """The camera cannot be opened or gives no more frames; the text is the reason."""


class Picture(Protocol):
    """What a frame shows."""

    def full(self) -> Image:
        """Return it in colour and full size.

        Raises:
            CameraGoneError: when it cannot be decoded.
        """
        ...

    def luma(self, width: int) -> Luma:
        """Return its brightness, `width` pixels wide; raises as `full` does."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture, the UTC time at which it was taken, and the same in seconds of the source's own clock."""

    picture: Picture
    time: datetime
    at: float
    alone: bool = False
    """It belongs to no video: what it shows does not go on in the next one."""


class Decoded:
    """A picture that a decoder gave."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def full(self) -> Image:
        """Return it."""
        return self._image

    def luma(self, width: int) -> Luma:
        """Return a small one, made of some of the pixels only: averaging all of them would cost more."""
        step = max(1, self._image.shape[1] // (4 * width))
        return _shrunk(
            cv2.cvtColor(np.ascontiguousarray(self._image[::step, ::step]), cv2.COLOR_BGR2GRAY), width
        )


class Jpeg:
    """A picture as an MJPEG camera sends it."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        """Take the bytes of one JPEG."""
        self._data = data

    def full(self) -> Image:
        """Decode it, once."""
        return self._full

    def luma(self, width: int) -> Luma:
        """Decode an eighth of it only."""
        return _shrunk(_decoded(self._data, cv2.IMREAD_REDUCED_GRAYSCALE_8), width)

    @functools.cached_property
    def _full(self) -> Image:
        return _decoded(self._data, cv2.IMREAD_COLOR)


def _decoded(data: NDArray[np.uint8], how: int) -> Image:
    try:
        image = cv2.imdecode(data, how)
    except cv2.error:  # empty, or of a size that is none
        image = None
    if image is None:
        raise CameraGoneError("a frame cannot be decoded")
    return np.asarray(image, dtype=np.uint8)


def _shrunk(luma: cv2.typing.MatLike, width: int) -> Luma:
    high, wide = luma.shape[:2]
    size = (width, max(1, round(width * high / wide)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
