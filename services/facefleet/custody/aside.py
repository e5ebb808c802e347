"""Where damaged bytes go: out of the way, and kept for who wants to see them."""

from pathlib import Path

from facefleet.custody.space import Budget, on_disk
from facefleet.runtime import logs

NAME = "set-aside"
SHARE = 16
"""At most one part in so many of the bound."""

_log = logs.get("custody")


class SetAside:
    """A folder of damaged bytes, within a part of the bound."""

    def __init__(self, folder: Path, budget: Budget, most: int) -> None:
        self._folder = folder / NAME
        self._budget = budget
        self._most = most // SHARE
        self._taken = sum(on_disk(file) for file in self._folder.glob("*"))

    def keep(self, name: str, data: bytes) -> Path | None:
        """Copy bytes; None when there is no room for them."""
        path = self._folder / name
        if path.exists():
            return path
        size = self._budget.up(len(data)) + (0 if self._folder.exists() else self._budget.block)
        if self._taken + size > self._most or not self._budget.reserve(size):
            return None
        try:
            self._folder.mkdir(exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            _log.warning("damaged bytes could not be set aside", file=str(path), reason=error.strerror)
            path.unlink(missing_ok=True)
            self._budget.adjust(-size)
            return None
        self._taken += size
        return path
