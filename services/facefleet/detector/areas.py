"""Areas of the picture, in parts of its width and height. Pure."""

from typing import NamedTuple


class Area(NamedTuple):
    """A rectangle: left, top, width and height, each 0 to 1."""

    x: float
    y: float
    width: float
    height: float

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point, in parts too, lies in it."""
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height


def areas_of(text: str) -> tuple[Area, ...]:
    """Read `x,y,width,height;x,y,width,height`; nothing of the picture if empty.

    Raises:
        ValueError: when one is not four numbers from 0 to 1, or is empty or leaves the picture.
    """
    return tuple(_area(part) for part in text.split(";") if part.strip())


def _area(text: str) -> Area:
    try:
        x, y, width, height = (float(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not x,y,width,height") from None
    area = Area(x, y, width, height)
    if not (min(x, y) >= 0 and min(width, height) > 0 and x + width <= 1 and y + height <= 1):
        raise ValueError(f"{text.strip()!r} is no part of the picture: give parts from 0 to 1")
    return area
