"""Numbers that go on where they were before a restart."""

import json
import os
import time
from pathlib import Path

from facefleet.runtime import logs
from facefleet.runtime.service import ServiceError

_log = logs.get("detector")


class Numbers:
    """How many events a camera has had, and the highest track number given. On disk before it counts."""

    def __init__(self, file: Path) -> None:
        """Go on from the file; without one, from nothing.

        Raises:
            ServiceError: when the file cannot be written.
        """
        self._file = file
        self.sequence, self.track = self._read()
        self._write(self.sequence, self.track)

    def next(self, track: int) -> int:
        """Return the next event's sequence number, 1 at first; `track` is the event's.

        Raises:
            ServiceError: when the file cannot be written.
        """
        self._write(self.sequence + 1, max(self.track, track))
        return self.sequence

    def _read(self) -> tuple[int, int]:
        try:
            said = json.loads(self._file.read_text())
            sequence, track = said["sequence"], said["track"]
            if type(sequence) is not int or type(track) is not int or min(sequence, track) < 0:
                raise TypeError  # noqa: TRY301 - the same remedy as for any other damage
        except FileNotFoundError:
            return 0, 0
        except OSError as error:
            raise self._unusable(error) from error
        except (ValueError, TypeError, KeyError):
            return self._set_aside()
        return sequence, track

    def _set_aside(self) -> tuple[int, int]:
        aside = self._file.with_suffix(".corrupt")
        try:
            self._file.replace(aside)
        except OSError as error:
            raise self._unusable(error) from error
        _log.warning(
            "state file was damaged, counting from 0 again", file=str(self._file), set_aside=str(aside)
        )
        return 0, int(time.time())  # the clock is ahead of any track number used before

    def _write(self, sequence: int, track: int) -> None:
        draft = self._file.with_suffix(".new")
        try:
            with draft.open("w") as file:
                json.dump({"sequence": sequence, "track": track}, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        except OSError as error:
            raise self._unusable(error) from error
        self.sequence, self.track = sequence, track

    def _unusable(self, error: OSError) -> ServiceError:
        return ServiceError(
            f"state file {self._file} cannot be used ({error.strerror}): mount a volume at "
            f"{self._file.parent} that user {os.getuid()} may write, or correct FACEFLEET_STATE_DIR"
        )
