"""A video file, at its own rate or as fast as it can be looked at."""

import math
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2

from facefleet.detector.sources.capture import opened, retrieved
from facefleet.detector.sources.frame import CameraGoneError, Decoded, Frame

LATE_MOST_S = 2.0
"""A file further behind than this goes on from where it is."""
_USUAL_FPS = 25.0
_FPS_MOST = 240.0


class FileSource:
    """Plays a video file. Its clock is the video's own; a loop goes on counting."""

    def __init__(self, path: Path, stop: threading.Event, *, loop: bool, fast: bool = False) -> None:
        """Open the file.

        Raises:
            CameraGoneError: when it is no video.
        """
        self._path = path
        self._stop = stop
        self._loop = loop
        self._fast = fast
        self._played_s = 0.0
        self._rewind()
        self._started = time.monotonic()
        self._begun = datetime.now(UTC)

    @property
    def frames(self) -> int:
        """Return how many frames went by in this round, those left out among them."""
        return self._position

    def read(self, not_before: float = 0.0) -> Frame | None:
        """Return the frame that is due then, or the one of now if that is later; see `Source.read`."""
        while not self._stop.is_set():
            wanted = max(not_before, self._at(self._position))
            if not self._fast:
                wanted = self._wait_for(wanted)
                if self._stop.is_set():
                    break
            if self._skip_to(wanted) and self._capture.grab():
                at = self._at(self._position)
                self._position += 1
                return Frame(Decoded(retrieved(self._capture)), self._time(at), at)
            if not self._position:
                raise CameraGoneError("the file holds no frame that can be decoded")
            if not self._loop:
                return None
            self._played_s = self._at(self._position)
            self.close()
            self._rewind()
        return None

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _at(self, position: int) -> float:
        return self._played_s + position / self._fps

    def _time(self, at: float) -> datetime:
        return self._begun + timedelta(seconds=at) if self._fast else datetime.now(UTC)

    def _wait_for(self, wanted: float) -> float:
        """Wait until a moment of the video is there; return the moment that is there then."""
        self._stop.wait(max(0.0, self._started + wanted - time.monotonic()))
        moment = time.monotonic() - self._started
        if moment - wanted > LATE_MOST_S:
            self._started += moment - wanted
            return wanted
        return max(wanted, moment)

    def _skip_to(self, wanted: float) -> bool:
        """Leave out the frames before a moment; False at the end of the file."""
        while self._at(self._position) + 0.5 / self._fps < wanted:
            if not self._capture.grab():
                return False
            self._position += 1
        return True

    def _rewind(self) -> None:
        self._capture = opened(str(self._path), cv2.CAP_ANY)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self._fps = fps if math.isfinite(fps) and 0 < fps <= _FPS_MOST else _USUAL_FPS
        self._position = 0
