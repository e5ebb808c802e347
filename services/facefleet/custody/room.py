"""How space is given back: whole segments once nothing in them is held, and holes inside the others."""

import os
from pathlib import Path

from facefleet.custody.backlog import Backlog
from facefleet.custody.errors import SpoolError
from facefleet.custody.ledger import MOST_FOLDED, Ledger
from facefleet.custody.segment import Segment
from facefleet.custody.space import DISK_FULL, Budget, on_disk, punch, sync_folder
from facefleet.custody.spares import Spares
from facefleet.custody.writer import Writer
from facefleet.runtime import logs

_log = logs.get("custody")


class Room:
    """Gives back the space of what is not held any more. One thread at a time."""

    def __init__(
        self,
        backlog: Backlog,
        writer: Writer,
        ledger: Ledger,
        budget: Budget,
        *,
        spares: Spares,
        can_punch: bool,
    ) -> None:
        self._backlog = backlog
        self._writer = writer
        self._ledger = ledger
        self._budget = budget
        self._spares = spares
        self._can_punch = can_punch
        self._noted = False

    def gain(self, segment: Segment, index: int) -> int:
        """Return the bytes that a dead record will give back as a hole."""
        return segment.gain(index, self._budget.block) if self._can_punch else 0

    def note(self, segment: Segment, index: int, end: int | None = None) -> None:
        """Write the fates of records into the release file; may be called from any thread."""
        try:
            self._backlog.note(segment, index, index + 1 if end is None else end)
        except OSError as error:
            if not self._noted:
                self._noted = True
                _log.warning(
                    "a release cannot be written: such records are sent again after a restart",
                    file=segment.marks_path,
                    reason=error.strerror,
                )

    def reclaim(self) -> bool:
        """Give back all space that can be given back; False when there was none.

        Raises:
            SpoolError: the disk fails.
        """
        before = self._budget.used
        self.retire_active()
        self.fold()
        self._spares.clear()
        self._writer.give_back_ready()
        if self._can_punch:
            for segment in self._backlog.dirty():
                self._punch(segment)
        return self._budget.used < before

    def retire_active(self) -> None:
        """Close the segment that is being written if nothing in it is held."""
        active = self._writer.active
        if active is not None and active.count and not active.held:
            self._writer.rotate()

    def fold(self) -> bool:
        """Remove the segments of which nothing is held; the ledger counts them first.

        Returns:
            False when the disk is too full even for that, which may pass.

        Raises:
            SpoolError: the disk fails.
        """
        while dead := self._backlog.dead()[:MOST_FOLDED]:
            try:
                self._ledger.make()
                if len(self._ledger.folded) + len(dead) > MOST_FOLDED:
                    # Their removal is made durable, so that they need not be remembered.
                    sync_folder(self._ledger.path.parent)
                    self._ledger.forget_folded()
                self._ledger.fold((segment.serial, segment.id, segment.fates()) for segment in dead)
            except OSError as error:
                if error.errno in DISK_FULL:
                    _log.warning(
                        "no room for the ledger: space is given back later", file=str(self._ledger.path)
                    )
                    return False
                raise SpoolError(
                    f"{self._ledger.path} cannot be written: {error.strerror}: check the disk"
                ) from error
            for segment in dead:
                self._backlog.remove(segment)
                Path(segment.marks_path).unlink(missing_ok=True)
                self._budget.adjust(-segment.marks_disk)
                self._spares.offer(Path(segment.path), segment.serial)
        return True

    def _punch(self, segment: Segment) -> None:
        with self._backlog.lock:
            segment.dirty = False
            holes = list(segment.fresh_holes(self._budget.block))
            if not holes:
                return
            marks = [(first, segment.marks(first, end)) for first, end, _, _ in holes]
            try:
                data = self._backlog.handles.get(segment.path)
                release = self._backlog.handles.get(segment.marks_path)
            except OSError as error:
                _log.warning("no space given back in a segment", file=segment.path, reason=error.strerror)
                return
        try:
            # First it must be durable that they are not held: a hole alone is damage.
            for first, states in marks:
                os.pwrite(release.fd, states, first)
            os.fdatasync(release.fd)
            for _, _, offset, size in holes:
                punch(data.fd, offset, size)
        except OSError as error:
            _log.warning("no space given back in a segment", file=segment.path, reason=error.strerror)
        with self._backlog.lock:
            for first, end, _, _ in holes:
                segment.settle_space(first, end)
            before = segment.disk
            segment.data_disk = on_disk(data.fd)
            segment.marks_disk = on_disk(release.fd)
            self._budget.adjust(segment.disk - before)


def folder_can_punch(folder: Path) -> bool:
    """Say whether the file system can give back blocks inside a file."""
    path = folder / "probe"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        return punch(fd, 0, 4096)
    finally:
        os.close(fd)
        path.unlink()
