"""What the original does: the cascade at full size on each frame, and a PNG of each hit."""

from collections.abc import Iterator

import cv2
import cv2.data
import numpy as np
from facefleet.detector.sources.frame import Image

_CASCADE = cv2.data.haarcascades + "haarcascade_frontalface_default.xml"


class Naive:
    """Haar as every tutorial has it."""

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(_CASCADE)

    def messages(self, image: Image) -> Iterator[bytes]:
        """Yield the payload of each message that one frame makes."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        for x, y, width, height in self._cascade.detectMultiScale(grey, 1.3, 5):
            yield np.asarray(cv2.imencode(".png", image[y : y + height, x : x + width])[1]).tobytes()
