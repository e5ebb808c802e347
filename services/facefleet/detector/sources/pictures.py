"""A folder of pictures, each a scene of its own."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from facefleet.detector.sources.frame import CameraGoneError, Decoded, Frame, Image
from facefleet.runtime import logs

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}

_log = logs.get("detector")


class PictureSource:
    """Shows the pictures of a folder, by name. A damaged one is told and left out."""

    def __init__(self, folder: Path, stop: threading.Event, *, every_s: float, loop: bool) -> None:
        """Show one in so many seconds.

        Raises:
            CameraGoneError: when there is none.
        """
        self._files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        if not self._files:
            raise CameraGoneError(f"no picture there ({', '.join(sorted(SUFFIXES))})")
        self._stop = stop
        self._every_s = every_s
        self._loop = loop
        self._shown = 0
        self._next = self._pictures()

    def read(self, not_before: float = 0.0) -> Frame | None:
        """Return the next picture; see `Source.read`."""
        del not_before  # each is looked at
        if self._shown and self._every_s and self._stop.wait(self._every_s):
            return None
        frame = None if self._stop.is_set() else next(self._next, None)
        self._shown += frame is not None
        return frame

    def close(self) -> None:
        """Nothing is open between two pictures."""

    def _pictures(self) -> Iterator[Frame]:
        while True:
            before = self._shown
            for file in self._files:
                image = _read(file)
                if image is None:
                    _log.warning("not a picture that can be decoded, left out", file=file.name)
                    continue
                yield Frame(Decoded(image), datetime.now(UTC), float(self._shown), alone=True)
            if self._shown == before:
                raise CameraGoneError("none of the pictures can be decoded")
            if not self._loop:
                return


def _read(file: Path) -> Image | None:
    try:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    except cv2.error:  # of a size that is none
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)
