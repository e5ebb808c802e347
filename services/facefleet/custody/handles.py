"""Open files, a few at a time: a backlog may have thousands of segments, a process 1024 descriptors."""

import os
from collections import OrderedDict

MOST_OPEN = 64


class Handle:
    """A descriptor that is closed when nobody holds it any more, so that no reader loses it midway."""

    __slots__ = ("fd",)

    def __init__(self, path: str, flags: int) -> None:
        self.fd = -1
        self.fd = os.open(path, flags, 0o640)

    def __del__(self) -> None:
        """Close it."""
        if self.fd >= 0:
            os.close(self.fd)


class Handles:
    """The files used last. Not safe from several threads: the caller holds the backlog's lock."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Handle] = OrderedDict()

    def get(self, path: str) -> Handle:
        """Return the open file, opening it for reading and writing when it is not.

        Raises:
            OSError: it cannot be opened.
        """
        handle = self._open.get(path)
        if handle is None:
            handle = self.add(path, os.O_RDWR)
        else:
            self._open.move_to_end(path)
        return handle

    def add(self, path: str, flags: int) -> Handle:
        """Open a file and keep it among the open ones.

        Raises:
            OSError: it cannot be opened or made.
        """
        handle = self._open[path] = Handle(path, flags)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return handle

    def forget(self, path: str) -> None:
        """Let a file go."""
        self._open.pop(path, None)

    def clear(self) -> None:
        """Let all files go."""
        self._open.clear()
