"""Recall and false faces on labelled pictures: ours against the original's cascade."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from facefleet.detector.finding.face import FaceFinder
from facefleet.detector.following.likeness import iou
from facefleet.messaging.event import Box

from tests.bench.detector.labelled import DAMAGES, Labelled

SAME_IOU = 0.4


class Found(NamedTuple):
    """Of `faces` marked ones, how many were found, and how many finds are none of them."""

    faces: int
    found: int
    false: int

    def __add__(self, other: object) -> "Found":
        assert isinstance(other, Found)
        return Found(self.faces + other.faces, self.found + other.found, self.false + other.false)

    @property
    def recall(self) -> float:
        return self.found / self.faces if self.faces else 1.0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else 1.0


Tables = dict[str, dict[str, dict[str, Found]]]
"""Part of the pictures, damage, finder."""


def compare(marked: Sequence[Box], boxes: Iterable[Box]) -> Found:
    """Give each mark the find that covers it best, each find once."""
    left = list(boxes)
    found = 0
    for mark in marked:
        best = max(left, key=lambda box: iou(mark, box), default=None)
        if best and iou(mark, best) >= SAME_IOU:
            left.remove(best)
            found += 1
    return Found(len(marked), found, len(left))


def measure(
    pictures: Sequence[Labelled], finders: dict[str, FaceFinder], least: float
) -> dict[str, dict[str, Found]]:
    """Return, for each damage and finder, what was found with a score of `least`."""
    table: dict[str, dict[str, Found]] = {}
    for damage, (harm, factor) in DAMAGES.items():
        row = dict.fromkeys(finders, Found(0, 0, 0))
        for picture in pictures:
            image = harm(picture.image)
            marks = [_shrunk(box, factor) for box in picture.faces]
            for name, finder in finders.items():
                boxes = [face.box for face in finder.find(image) if name == "haar" or face.score >= least]
                row[name] += compare(marks, boxes)
        table[damage] = row
    return table


def _shrunk(box: Box, factor: float) -> Box:
    x, y, width, height = (round(side * factor) for side in (box.x, box.y, box.width, box.height))
    return Box(x, y, max(1, width), max(1, height))
