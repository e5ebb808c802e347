"""The sums of what is no longer on disk, in a file of two slots that are written in turn.

A slot lies in blocks that the file has from the start: a full disk cannot keep the ledger from being written,
so it cannot keep space from being given back. A cut while one slot is written leaves the other.
"""

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from facefleet.custody import space
from facefleet.custody.entry import Fate
from facefleet.custody.errors import FutureFormatError, SpoolError
from facefleet.custody.layout import VERSION

NAME = "ledger.json"
SLOT = 4096
SIZE = 2 * SLOT
MOST_FOLDED = 64


class Ledger:
    """Sums by fate, and the segments that they contain and that may still lie there after a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / NAME
        self.fates = dict.fromkeys(Fate, 0)
        self.last_serial = 0
        self.folded: dict[int, int] = {}
        """Id by serial."""
        self.damaged = False
        """There is a file and no good slot in it."""
        self._sequence = 0
        self._fd = -1

    def read(self) -> None:
        """Read the newest good slot; nothing is changed on disk.

        Raises:
            FutureFormatError: a newer release wrote it.
            SpoolError: it cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise SpoolError(
                f"{self.path} cannot be read: {error.strerror}: see to the disk and its rights"
            ) from error
        slots = [slot for at in (0, SLOT) if (slot := _decode(data[at : at + SLOT])) is not None]
        version = max((slot["version"] for slot in slots), default=VERSION)
        if version > VERSION:
            raise from_the_future(self.path, version)
        self.damaged = not slots and any(data)
        if slots:
            newest = max(slots, key=lambda slot: int(slot["sequence"]))
            self._sequence = newest["sequence"]
            self.last_serial = newest["last_serial"]
            self.fates = {fate: newest[fate.name.lower()] for fate in Fate}
            self.folded = {int(serial): int(identity, 16) for serial, identity in newest["folded"].items()}

    def make(self) -> None:
        """Make the file if there is none.

        Raises:
            OSError: there is no room, or the disk fails.
        """
        if self._fd >= 0:
            return
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            if os.fstat(fd).st_size < SIZE:
                # Written, not only allocated: what is overwritten later needs no new block.
                space.write_all(fd, [bytes(SIZE)], 0)
                os.fsync(fd)
                space.sync_folder(self._folder)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def fold(self, segments: Iterable[tuple[int, int, dict[Fate, int]]]) -> None:
        """Add the sums of segments (serial, id, sums), durably: now they may be removed.

        Raises:
            OSError: they were not added.
        """
        before = dict(self.fates), dict(self.folded)
        for serial, identity, fates in segments:
            self.folded[serial] = identity
            for fate, count in fates.items():
                self.fates[fate] += count
        try:
            self._write()
        except OSError:
            self.fates, self.folded = before
            raise

    def forget_folded(self) -> None:
        """Forget the segments: they are gone from the disk, durably. Written with the next change."""
        self.folded = {}

    def give_up(self, count: int) -> None:
        """Count entries that were given up before they came into a segment, durably.

        Raises:
            OSError: they were not counted.
        """
        self.fates[Fate.GIVEN_UP] += count
        try:
            self._write()
        except OSError:
            self.fates[Fate.GIVEN_UP] -= count
            raise

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self) -> None:
        self.make()
        self.last_serial = max(self.last_serial, *self.folded, 0)
        sums = {fate.name.lower(): count for fate, count in self.fates.items()}
        slot = _encode(
            {
                "version": VERSION,
                "sequence": self._sequence + 1,
                "last_serial": self.last_serial,
                **sums,
                "folded": {str(serial): f"{identity:016x}" for serial, identity in self.folded.items()},
            }
        )
        os.pwrite(self._fd, slot, (self._sequence + 1) % 2 * SLOT)
        os.fdatasync(self._fd)
        self._sequence += 1


def from_the_future(path: Path, version: int) -> FutureFormatError:
    """Say that a file was written by a newer release."""
    return FutureFormatError(
        f"{path} has format {version}, and this release reads formats up to {VERSION}: "
        "run the newer release, or let it drain the spool first; nothing was touched"
    )


def _encode(content: dict[str, Any]) -> bytes:
    body = json.dumps(content, sort_keys=True)
    text = json.dumps({**content, "crc32": zlib.crc32(body.encode())}, sort_keys=True)
    return text.encode().ljust(SLOT - 1) + b"\n"


def _decode(slot: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(slot)
        crc = content.pop("crc32")
        if crc != zlib.crc32(json.dumps(content, sort_keys=True).encode()):
            return None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("version"), int) else None
