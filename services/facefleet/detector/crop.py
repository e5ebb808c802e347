"""Cuts a face out of its frame. Pure."""

import cv2

from facefleet.detector.finder import within
from facefleet.detector.source import Image
from facefleet.messaging.event import Box


def crop(image: Image, box: Box, margin: float) -> bytes:
    """Return the face as PNG, with `margin` (in parts of the box) on each side as far as the frame goes.

    Raises:
        ValueError: when the box is outside the frame.
    """
    wide, high = box.width * margin, box.height * margin
    cut = within(image, box.x - wide, box.y - high, box.width + 2 * wide, box.height + 2 * high)
    if cut is None:
        raise ValueError(f"box {box} is outside the frame")
    ok, png = cv2.imencode(".png", image[cut.y : cut.y + cut.height, cut.x : cut.x + cut.width])
    if not ok:
        raise ValueError(f"box {box} cannot be encoded")
    return png.tobytes()
