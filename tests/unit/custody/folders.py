"""What the tests do with a spool's folder from outside: weigh it, copy it as a crash would leave it."""

import contextlib
import os
import shutil
from pathlib import Path

from facefleet.custody.entry import Accounts, Entry, Record
from facefleet.custody.spool import Spool


def weight(folder: Path) -> int:
    """Return the bytes that a folder and all in it take on disk."""
    return sum(path.lstat().st_blocks * 512 for path in (folder, *folder.rglob("*")))


def copied(folder: Path, to: Path) -> Path:
    """Copy a folder as it is now, holes as holes; the copy is what a crash leaves."""
    shutil.copytree(folder, to, copy_function=_copy_sparse)
    return to


def _copy_sparse(source: str, target: str) -> str:
    with Path(source).open("rb") as reading, Path(target).open("wb") as writing:
        end = os.fstat(reading.fileno()).st_size
        writing.truncate(end)
        at = 0
        while at < end:
            try:
                at = os.lseek(reading.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            stop = os.lseek(reading.fileno(), at, os.SEEK_HOLE)
            os.pwrite(writing.fileno(), os.pread(reading.fileno(), stop - at, at), at)
            at = stop
    return target


def balanced(accounts: Accounts) -> bool:
    """Say whether the books agree."""
    return accounts.taken == (
        accounts.handed_on + accounts.rejected + accounts.given_up + accounts.damaged + accounts.held
    )


def drained(spool: Spool) -> list[Record]:
    """Take out all that waits, oldest first."""
    records = []
    while (record := spool.next("oldest")) is not None:
        records.append(record)
    return records


def entry(number: int, size: int = 100, score: float = 0.5) -> Entry:
    """Build an entry whose body tells its number."""
    text = f"{number}:".encode()
    return Entry((text, bytes((number % 251,)) * max(0, size - len(text))), number, score)


def fill(file: Path) -> None:
    """Write to a file until the disk is full."""
    with file.open("wb", buffering=0) as hog, contextlib.suppress(OSError):
        while hog.write(bytes(4096)):
            pass


def segments(folder: Path) -> list[Path]:
    """Return the segment files, oldest first."""
    return sorted(folder.glob("*.seg"))
