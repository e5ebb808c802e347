"""Files of segments that are not needed any more, kept to be written over.

A write into blocks that a file has already changes none of the file system's own records, so its fdatasync
waits for the data alone: about twice as fast, and less wear on flash. Spares go first when space is needed.
"""

from pathlib import Path
from typing import NamedTuple

from facefleet.custody.space import Budget, on_disk

PATTERN = "spare-*"
MOST = 4
SHARE = 16
"""All together at most one part in so many of the bound."""


class Spare(NamedTuple):
    """A file with blocks."""

    size: int
    disk: int
    path: Path


class Spares:
    """A few of them, the largest ones. One thread at a time."""

    def __init__(self, folder: Path, budget: Budget, most_bytes: int) -> None:
        self._folder = folder
        self._budget = budget
        self._most_bytes = most_bytes // SHARE
        self._spares: list[Spare] = []

    @property
    def next_size(self) -> int:
        """Return the bytes of the spare that `take` would give; 0 when there is none."""
        return self._spares[-1].size if self._spares else 0

    def offer(self, path: Path, serial: int) -> None:
        """Keep a file, or remove it; its blocks are in the budget and leave it when they go."""
        size, disk = path.stat().st_size, on_disk(path)
        # With holes inside, writing over it would be no faster.
        if disk < size or disk > self._most_bytes:
            self._remove(Spare(size, disk, path))
            return
        spare = Spare(size, disk, self._folder / f"spare-{serial:020d}")
        path.rename(spare.path)
        self._spares = sorted([*self._spares, spare])
        while len(self._spares) > MOST or sum(one.disk for one in self._spares) > self._most_bytes:
            self._remove(self._spares.pop(0))

    def take(self, path: Path) -> Spare | None:
        """Give the largest one a new name; None when there is none."""
        if not self._spares:
            return None
        spare = self._spares.pop()
        spare.path.rename(path)
        return spare

    def clear(self) -> None:
        """Remove all."""
        while self._spares:
            self._remove(self._spares.pop())

    def _remove(self, spare: Spare) -> None:
        spare.path.unlink(missing_ok=True)
        self._budget.adjust(-spare.disk)
