"""How good a picture of a face is, 0 to 1. Pure."""

import math

import cv2
import numpy as np

from facefleet.detector.finding.face import Face, Landmarks
from facefleet.detector.sources.frame import Image

FULL_SIZE_PX = 96
"""A face of this width has all that those who recognise faces ask for."""
UNKNOWN_FRONTALITY = 0.8
AT_THE_EDGE = 0.5
_SHARP_SIDE_PX = 64
_HALF_SHARP = 60.0
"""Variance of the Laplacian at which a face of 64 pixels is half sharp."""
_TURNED_MOST = 0.9
"""The nose this far from between the eyes, in distances of the eyes: a profile."""


def quality(face: Face, image: Image) -> float:
    """Return score x frontality x size x sharpness x whether it is whole, each 0 to 1."""
    return (
        face.score * frontality(face.landmarks) * _size(face) * sharpness(face, image) * _whole(face, image)
    )


def frontality(landmarks: Landmarks | None) -> float:
    """Return 1 for who looks into the camera, less for who looks aside."""
    if landmarks is None:
        return UNKNOWN_FRONTALITY
    right_eye, left_eye, nose, *_ = (np.array(point) for point in landmarks)
    eyes = left_eye - right_eye
    apart = float(np.hypot(*eyes))
    if apart < 1:
        return 0.2
    aside = abs(float(np.dot(nose - (left_eye + right_eye) / 2, eyes))) / apart**2
    return max(0.2, 1 - aside / _TURNED_MOST)


def sharpness(face: Face, image: Image) -> float:
    """Return how much detail there is, whatever the size of the face."""
    box = face.box
    cut = image[box.y : box.y + box.height, box.x : box.x + box.width, 1]
    small = cv2.resize(cut, (_SHARP_SIDE_PX, _SHARP_SIDE_PX), interpolation=cv2.INTER_AREA)
    detail = float(cv2.Laplacian(small, cv2.CV_32F).var())
    return float(detail / (detail + _HALF_SHARP))


def _size(face: Face) -> float:
    return math.sqrt(min(1.0, min(face.box.width, face.box.height) / FULL_SIZE_PX))


def _whole(face: Face, image: Image) -> float:
    """Return less for a face that the frame cuts: it never takes the place of a whole one."""
    height, width = image.shape[:2]
    box = face.box
    cut = box.x <= 0 or box.y <= 0 or box.x + box.width >= width or box.y + box.height >= height
    return AT_THE_EDGE if cut else 1.0
