"""How a folder is opened: locked, its versions checked, and what an earlier run left there taken in."""

import fcntl
import os
import re
import secrets
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from facefleet.custody import aside, space, spares
from facefleet.custody.aside import SetAside
from facefleet.custody.entry import Fate
from facefleet.custody.errors import SpoolError
from facefleet.custody.layout import (
    HEADER_SIZE,
    NO_COUNT,
    TORN,
    VERSION,
    WAITING,
    Footer,
    SegmentHeader,
    decode_header,
    encode_footer,
)
from facefleet.custody.ledger import SIZE as LEDGER_SIZE
from facefleet.custody.ledger import Ledger, from_the_future
from facefleet.custody.recent import MOST
from facefleet.custody.recovery import Survey, survey
from facefleet.custody.segment import Segment
from facefleet.custody.space import Budget, on_disk
from facefleet.runtime import logs

LOCK = "lock"
_NAME = re.compile(r"(\d{20})\.(seg|rel)")
_FATES = bytes(byte if byte in {*(fate.value for fate in Fate), TORN} else WAITING for byte in range(256))

_log = logs.get("custody")


@dataclass(slots=True)
class Opened:
    """What lay in the folder."""

    lock: int
    ledger: Ledger
    budget: Budget
    set_aside: SetAside
    segments: list[Segment] = field(default_factory=list)
    keys: deque[int] = field(default_factory=lambda: deque(maxlen=MOST))
    next_serial: int = 1
    torn: int = 0


def open_folder(folder: Path, max_bytes: int) -> Opened:
    """Lock a folder, check the version of each file in it, and only then recover what it holds.

    Raises:
        FutureFormatError: a newer release wrote it; nothing was touched.
        SpoolError: somebody else has it open, or the disk fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
    except OSError as error:
        raise SpoolError(
            f"{folder} cannot be used: {error.strerror}: see to its rights and the disk"
        ) from error
    try:
        return _Opening(folder, max_bytes, lock).run()
    except OSError as error:
        os.close(lock)
        raise SpoolError(
            f"{error.filename or folder} cannot be read or mended: {error.strerror}: see to the disk"
        ) from error
    except SpoolError:
        os.close(lock)
        raise


def _lock(folder: Path) -> int:
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise SpoolError(
            f"{folder} is open already: end the other process, or give this one its own folder"
        ) from None
    return fd


class _Opening:
    def __init__(self, folder: Path, max_bytes: int, lock: int) -> None:
        self._folder = folder
        self._ledger = Ledger(folder)
        self._headers: dict[int, SegmentHeader | None] = {}
        block = os.statvfs(folder).f_frsize
        self._budget = Budget(max_bytes, block, 0)
        self._max_bytes = max_bytes
        self._lock = lock

    def run(self) -> Opened:
        self._check_versions()
        self._remove_folded()
        self._budget.adjust(self._measure())
        opened = Opened(
            self._lock, self._ledger, self._budget, SetAside(self._folder, self._budget, self._max_bytes)
        )
        if self._ledger.damaged:
            self._set_ledger_aside(opened)
        for serial in sorted(self._headers):
            self._recover(serial, opened)
        opened.next_serial = max(self._ledger.last_serial, *self._headers, 0) + 1
        return opened

    def _file(self, serial: int, kind: str = "seg") -> Path:
        return self._folder / f"{serial:020d}.{kind}"

    def _check_versions(self) -> None:
        for path in self._folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name is None or name[2] != "seg":
                continue
            with path.open("rb") as file:
                header = decode_header(file.read(HEADER_SIZE))
            if header is not None and header.version > VERSION:
                raise from_the_future(path, header.version)
            self._headers[int(name[1])] = header
        self._ledger.read()

    def _remove_folded(self) -> None:
        """Remove what the ledger counts already, and release files without a segment."""
        for serial, identity in self._ledger.folded.items():
            header = self._headers.get(serial)
            if serial in self._headers and (header is None or header.id == identity):
                self._file(serial).unlink()
                del self._headers[serial]
        for path in self._folder.glob("*.rel"):
            name = _NAME.fullmatch(path.name)
            if name is not None and int(name[1]) not in self._headers:
                path.unlink()
        for path in self._folder.glob(spares.PATTERN):
            path.unlink()
        space.sync_folder(self._folder)
        self._ledger.forget_folded()

    def _measure(self) -> int:
        folders = [self._folder, self._folder / aside.NAME]
        files = [
            file
            for folder in folders
            if folder.exists()
            for file in (folder, *folder.iterdir())
            if file not in {self._ledger.path, folders[1]} or file == folder
        ]
        return self._budget.up(LEDGER_SIZE) + sum(map(on_disk, files))

    def _set_ledger_aside(self, opened: Opened) -> None:
        kept = opened.set_aside.keep(f"ledger-{secrets.token_hex(4)}.bin", self._ledger.path.read_bytes())
        _log.error(
            "the ledger is damaged: its sums begin again at what is on disk",
            file=str(self._ledger.path),
            kept=str(kept),
            remedy="check the disk",
        )

    def _recover(self, serial: int, opened: Opened) -> None:
        path = self._file(serial)
        header = self._headers[serial]
        follower = self._headers.get(serial + 1)
        fd = os.open(path, os.O_RDWR)
        try:
            size = os.fstat(fd).st_size
            if header is not None and header.serial != serial:
                # A spare that had its new name and nothing more when the power went.
                self._remove(serial)
                return
            found = survey(
                fd,
                serial,
                follower.before if follower is not None else NO_COUNT,
                recycled=header is not None and header.recycled,
            )
            if found.torn or (not found.offsets and 0 < size < HEADER_SIZE):
                opened.torn += 1
                _log.warning(
                    "an unfinished write was cut off", file=str(path), offset=found.end, size=found.tail
                )
            if not found.offsets:
                self._remove(serial)
                return
            if header is None:
                _log.warning("a segment's header is damaged, its records are not", file=str(path))
            segment = Segment(self._folder, serial, secrets.randbits(64) if header is None else header.id)
            segment.offsets, segment.lengths = found.offsets, found.lengths
            segment.scores.extend(found.scores)
            self._load_states(fd, segment, found, opened)
            self._finish(fd, segment, found)
            opened.keys.extend(found.keys)
            opened.segments.append(segment)
        finally:
            os.close(fd)

    def _remove(self, serial: int) -> None:
        for path in (self._file(serial), self._file(serial, "rel")):
            if path.exists():
                self._budget.adjust(-on_disk(path))
                path.unlink()

    def _load_states(self, fd: int, segment: Segment, found: Survey, opened: Opened) -> None:
        """Read the release file, and settle the numbers for which there is no record."""
        marks_path = Path(segment.marks_path)
        count = len(found.offsets)
        marks = marks_path.read_bytes() if marks_path.exists() else b""
        states = bytearray(marks[:count].translate(_FATES))
        states += bytes(count - len(states))
        torn = False
        for gap in found.gaps:
            lost = [number for number in range(gap.first, gap.end) if states[number] == WAITING]
            for number in lost:
                states[number] = Fate.DAMAGED if number < found.last_batch else TORN
            damaged = sum(states[number] == Fate.DAMAGED for number in lost)
            torn = torn or damaged < len(lost)
            if damaged:
                data = os.pread(fd, min(gap.stop - gap.start, self._max_bytes // aside.SHARE), gap.start)
                report_damage(segment, gap.start, damaged, opened.set_aside, data)
        opened.torn += torn and not found.torn
        segment.load(bytes(states))
        self._write_marks(segment, len(marks), bytes(states), marks[:count])

    def _write_marks(self, segment: Segment, have: int, states: bytes, marks: bytes) -> None:
        try:
            fd = os.open(segment.marks_path, os.O_RDWR | os.O_CREAT, 0o640)
            try:
                before = on_disk(fd)
                if min(before, have) < segment.count:
                    os.posix_fallocate(fd, 0, self._budget.up(segment.count))
                if states != marks:
                    os.pwrite(fd, states, 0)
                segment.marks_disk = on_disk(fd)
                self._budget.adjust(segment.marks_disk - before)
            finally:
                os.close(fd)
        except OSError as error:
            _log.warning(
                "a release file cannot be written: what is released now is sent again after a restart",
                file=segment.marks_path,
                reason=error.strerror,
            )

    def _finish(self, fd: int, segment: Segment, found: Survey) -> None:
        """Close a segment that was not closed: nothing is ever appended to one of an earlier run."""
        before = on_disk(fd)
        if found.tail:
            os.ftruncate(fd, found.end)
        if not found.sealed:
            footer = encode_footer(Footer(segment.count, found.end), segment.serial)
            try:
                os.pwrite(fd, footer, found.end)
                os.fdatasync(fd)
            except OSError as error:
                os.ftruncate(fd, found.end)
                _log.warning("a segment could not be closed", file=segment.path, reason=error.strerror)
        segment.size = found.end
        segment.sealed = True
        segment.data_disk = on_disk(fd)
        self._budget.adjust(segment.data_disk - before)


def report_damage(segment: Segment, offset: int, count: int, set_aside: SetAside, data: bytes) -> None:
    """Set damaged bytes aside and say so."""
    kept = set_aside.keep(f"{segment.serial:020d}-{offset}.bin", data)
    _log.error(
        "damaged on disk: counted, and what comes behind goes on",
        file=segment.path,
        offset=offset,
        records=count,
        kept="no room for it" if kept is None else str(kept),
        remedy="check the disk; the bytes that were kept may be removed",
    )
