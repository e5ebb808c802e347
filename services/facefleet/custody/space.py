"""The bound in bytes, and how space inside a file is given back."""

import ctypes
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path

MARGIN_BLOCKS = 4
"""Kept free for what a file system adds by itself: the tree of a file's extents, a block of the folder."""

_IOV_MAX = os.sysconf("SC_IOV_MAX")
_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate64.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_SYNC_WRITE = 0x02
_libc.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Budget:
    """What the folder takes on disk, in whole blocks, against its bound. Safe from any thread."""

    def __init__(self, most: int, block: int, used: int) -> None:
        self._most = most
        self.block = block
        self.used = used
        self.limit = most
        """The bound, or less while the disk itself has less."""
        self.margin = MARGIN_BLOCKS * block
        self._lock = threading.Lock()

    def up(self, size: int) -> int:
        """Round up to whole blocks."""
        return -(-size // self.block) * self.block

    def lacks(self, growth: int) -> int:
        """Return how many bytes must come free before so many can be added; 0 or less when none."""
        return self.used + growth + self.margin - self.limit

    def reserve(self, size: int, *, margin: bool = True) -> bool:
        """Count bytes before they are written; False when they would pass the bound."""
        with self._lock:
            if self.used + size + (self.margin if margin else 0) > self.limit:
                return False
            self.used += size
            return True

    def adjust(self, change: int) -> None:
        """Correct the count."""
        with self._lock:
            self.used += change

    def disk_is_full(self) -> None:
        """Take what is used now for the bound: the disk has no more."""
        self.limit = min(self._most, self.used + self.margin)

    def lift(self) -> None:
        """Go back to the bound that was set."""
        self.limit = self._most


def on_disk(file: int | str | Path) -> int:
    """Return the bytes that a file takes on disk."""
    stat = os.fstat(file) if isinstance(file, int) else Path(file).stat()
    return stat.st_blocks * 512


def punch(fd: int, offset: int, size: int) -> bool:
    """Give back the blocks inside a file; its size stays. False when the file system cannot.

    Raises:
        OSError: it can, but failed.
    """
    if _libc.fallocate64(fd, _KEEP_SIZE | _PUNCH_HOLE, offset, size) == 0:
        return True
    code = ctypes.get_errno()
    if code in {errno.EOPNOTSUPP, errno.ENOSYS}:
        return False
    raise OSError(code, os.strerror(code))


def write_all(fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
    """Write buffers, one behind the other, and return the offset behind them.

    Raises:
        OSError: not all were written.
    """
    for start in range(0, len(buffers), _IOV_MAX):
        some = buffers[start : start + _IOV_MAX]
        size = sum(map(len, some))
        if os.pwritev(fd, some, offset) < size:
            # To a file, the system writes less than it is told only when the disk is full.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        offset += size
    return offset


def begin_writing_out(fd: int, offset: int, size: int) -> None:
    """Let the disk begin with what was written, without waiting for it; a hint, and no failure counts."""
    _libc.sync_file_range(fd, offset, size, _SYNC_WRITE)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
