"""Disks of our own: a small one that fills up, and one whose power can be cut.

A power cut: an ext4 on a loop device whose backing file lies on XFS. A reflink copy of that file, made
while all runs, is what the disk held at that moment: what the page cache still had is lost.
"""

import contextlib
import errno
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.workshop import given_away

MIB = 1024 * 1024
_XFS_BYTES = 1024 * MIB  # sparse; mkfs.xfs refuses less than 300 MB
_UNMOUNT_WITHIN_S = 15


class DiskError(Exception):
    """A tool of the disks failed; the text is what it said."""


def missing(tools: Sequence[str]) -> str:
    """Return why disks cannot be made here, empty when they can."""
    if os.geteuid():
        return "needs root to mount disks"
    absent = [tool for tool in tools if not shutil.which(tool)]
    return f"needs {' and '.join(absent)} (Debian: mount e2fsprogs xfsprogs)" if absent else ""


def _run(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise DiskError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")


def _unmount(target: Path) -> None:
    """Unmount; the engine lets go of a killed container's mounts a little later."""
    deadline = time.monotonic() + _UNMOUNT_WITHIN_S
    while True:
        try:
            return _run("umount", target)
        except DiskError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _ext4(file: Path, size: int) -> None:
    with file.open("wb") as backing:
        backing.truncate(size)
    _run("mkfs.ext4", "-q", "-m", "0", file)


class SmallDisk:
    """An ext4 of a few MB, which others can fill, too."""

    TOOLS = ("mount", "mkfs.ext4")

    def __init__(self, folder: Path, size: int) -> None:
        self._image = folder.with_suffix(".ext4")
        self._mount = folder
        self._filler = folder / "filler"
        folder.mkdir(parents=True)
        _ext4(self._image, size)
        _run("mount", "-o", "loop", self._image, folder)

    def folder(self, part: str) -> Path:
        return given_away(self._mount / part)

    def fill(self, leave: int = 0) -> int:
        """Write as another program would, until so many bytes are left. Returns how many it wrote."""
        written = 0
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(_DiskFull):
            while (room := self._free() - leave) > 0:
                written += _write_until_full(filler.fileno(), min(room, MIB))
        return written

    def clear(self) -> None:
        """Take away what `fill` wrote."""
        self._filler.unlink(missing_ok=True)

    def _free(self) -> int:
        status = os.statvfs(self._mount)
        return status.f_bavail * status.f_frsize

    def remove(self) -> None:
        _unmount(self._mount)
        self._image.unlink()
        self._mount.rmdir()


class _DiskFull(Exception):  # noqa: N818 - what the filler waits for
    """No space left on device."""


def _write_until_full(descriptor: int, size: int) -> int:
    try:
        written = os.write(descriptor, bytes(size))
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _DiskFull from error
    return written


class CuttableDisk:
    """An ext4 whose power can be cut while programs write to it."""

    TOOLS = ("mount", "losetup", "mkfs.ext4", "mkfs.xfs", "cp")

    def __init__(self, folder: Path, size: int = 256 * MIB) -> None:
        self._outer_image = folder.with_suffix(".xfs")
        self._outer = folder.with_name(f"{folder.name}.outer")
        self._mount = folder
        self._current = self._outer / "disk.ext4"
        self._copy = self._outer / "copy.ext4"
        self._outer.mkdir(parents=True)
        folder.mkdir()
        with self._outer_image.open("wb") as backing:
            backing.truncate(_XFS_BYTES)
        _run("mkfs.xfs", "-q", "-m", "reflink=1", self._outer_image)
        _run("mount", "-o", "loop", self._outer_image, self._outer)
        _ext4(self._current, size)
        _run("mount", "-o", "loop", self._current, folder)

    def folder(self, part: str) -> Path:
        return given_away(self._mount / part)

    def cut(self) -> None:
        """Keep what the disk holds now; everything after this moment is lost."""
        _run("cp", "--reflink=always", self._current, self._copy)

    def power_on(self) -> None:
        """Go on with what the disk held at the cut; nothing may use it now."""
        _unmount(self._mount)
        self._copy.replace(self._current)
        _run("mount", "-o", "loop", self._current, self._mount)

    def remove(self) -> None:
        _unmount(self._mount)
        _unmount(self._outer)
        self._outer_image.unlink()
        self._outer.rmdir()
        self._mount.rmdir()
