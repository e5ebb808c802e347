"""Who leaves the frame: whoever comes in there is somebody else. Pure."""

from typing import NamedTuple

from facefleet.messaging.event import Box

EDGE = 0.15
"""Widths from the frame's edge at which it may cut a face: a finder's box need not touch it."""
OUTWARD = 0.25
"""Widths a second towards that edge: the face is going, not standing there."""
RETURNED = 0.4
"""Widths back from where a face went out: that one is gone, this is another. Who only turned counts twice."""


class Exit(NamedTuple):
    """Where a face's centre was when it went out, in pixels, and which way that is: -1, 0 or 1."""

    x: float
    y: float
    right: int
    down: int

    def inward(self, box: Box) -> float:
        """Return how far inside of here a face is, in its widths; negative further out."""
        x, y = box.x + box.width / 2, box.y + box.height / 2
        return ((self.x - x) * self.right + (self.y - y) * self.down) / box.width


def exit_of(box: Box, expected: Box, speed: tuple[float, float], frame_size: tuple[int, int]) -> Exit | None:
    """Return where a face leaves a frame of this width and height, if it does.

    `box` is where it was seen last, `expected` where it would be now, `speed` in pixels a second.
    """
    wide, high = frame_size
    near, fast = EDGE * box.width, OUTWARD * box.width
    right = _way(
        expected.x + expected.width / 2, (box.x - near, box.x + box.width + near), speed[0] / fast, wide
    )
    down = _way(
        expected.y + expected.height / 2, (box.y - near, box.y + box.height + near), speed[1] / fast, high
    )
    if not (right or down):
        return None
    return Exit(box.x + box.width / 2, box.y + box.height / 2, right, down)


def _way(centre: float, ends: tuple[float, float], speed: float, size: int) -> int:
    # A box that the edge cuts moves at half the face's speed, and its centre never gets out.
    if centre < 0 or (ends[0] <= 0 and speed <= -1):
        return -1
    if centre >= size or (ends[1] >= size and speed >= 1):
        return 1
    return 0
