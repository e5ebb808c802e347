"""The labelled faces of dlib's source package, and the damage that cameras and networks do to pictures."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from facefleet.detector.sources.frame import Image
from facefleet.messaging.event import Box

TUNED_ON = "training"
REPORTED_ON = "testing"


class Labelled(NamedTuple):
    """A picture and the faces in it that somebody marked."""

    name: str
    part: str
    image: Image
    faces: list[Box]


def pictures(folder: Path) -> Iterator[Labelled]:
    """Yield the pictures of both parts."""
    for part in (TUNED_ON, REPORTED_ON):
        for entry in ET.parse(folder / f"{part}.xml").getroot().iter("image"):
            name = entry.attrib["file"]
            faces = [
                Box(*(int(box.attrib[side]) for side in ("left", "top", "width", "height")))
                for box in entry.iter("box")
                if box.attrib.get("ignore", "0") != "1"
            ]
            yield Labelled(name, part, np.asarray(cv2.imread(str(folder / name)), np.uint8), faces)


def _scaled(factor: float) -> Callable[[Image], Image]:
    def scale(image: Image) -> Image:
        return np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )

    return scale


def _noisy(image: Image) -> Image:
    noise = np.random.default_rng(1).normal(0, 20, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2.5), np.uint8)


def _dark(image: Image) -> Image:
    noise = np.random.default_rng(2).normal(0, 4, image.shape)
    return np.clip(image * 0.15 + noise, 0, 255).astype(np.uint8)


def _pressed(image: Image) -> Image:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


DAMAGES: dict[str, tuple[Callable[[Image], Image], float]] = {
    "as they are": (lambda image: image, 1.0),
    "half size": (_scaled(0.5), 0.5),
    "quarter size": (_scaled(0.25), 0.25),
    "noise (sigma 20)": (_noisy, 1.0),
    "blur (sigma 2.5 px)": (_blurred, 1.0),
    "darkness (15 %, noise)": (_dark, 1.0),
    "JPEG of quality 10": (_pressed, 1.0),
}
"""What is done to a picture, and by how much its faces shrink."""
