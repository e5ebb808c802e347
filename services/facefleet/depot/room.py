"""Room for so many at once, and for so many of one owner. Pure."""

from collections import Counter
from typing import NamedTuple


class Bounds(NamedTuple):
    """How many in all, and of one owner."""

    all: int
    of_one: int


class Room:
    """Who is in, counted by address."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._of: Counter[str] = Counter()

    @property
    def present(self) -> int:
        """Return how many are in."""
        return self._of.total()

    def enter(self, owner: str) -> bool:
        """Let one in if there is room; say whether there was."""
        if self.present >= self._bounds.all or self._of[owner] >= self._bounds.of_one:
            return False
        self._of[owner] += 1
        return True

    def leave(self, owner: str) -> None:
        """Note that one who was let in is gone."""
        self._of[owner] -= 1
        if not self._of[owner]:
            del self._of[owner]
