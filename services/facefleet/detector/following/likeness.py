"""How alike two boxes are. Pure."""

from facefleet.messaging.event import Box

SAME_IOU = 0.3
SAME_SIZE = 2.0
"""The larger box is at most so many times as wide."""


def likeness(seen: Box, expected: Box, distance_most: float) -> float | None:
    """Return how near two boxes are, greater is nearer; None if they cannot be the same face.

    `distance_most` is between centres, in widths of the larger box.
    """
    overlap = iou(seen, expected)
    larger, smaller = max(seen.width, expected.width), min(seen.width, expected.width)
    if larger > SAME_SIZE * smaller:
        return None
    distance = (
        (seen.x + seen.width / 2 - expected.x - expected.width / 2) ** 2
        + (seen.y + seen.height / 2 - expected.y - expected.height / 2) ** 2
    ) ** 0.5 / larger
    return overlap - distance if overlap >= SAME_IOU or distance <= distance_most else None


def iou(one: Box, other: Box) -> float:
    """Return the boxes' intersection over their union, 0 to 1."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)
