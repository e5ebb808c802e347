"""The motion gate: whether anything changed since the picture was last searched. Pure.

Compared is with the picture that was searched, not with the one before: whoever comes slowly adds up.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facefleet.detector.areas import Area
from facefleet.detector.sources.frame import Luma

WIDTH_PX = 160
"""Of the small picture that is compared."""
_LEVEL = 18
"""How much brighter or darker, of 255, counts: more than a camera's noise at night."""
_BLUR = (3, 3)


class MotionGate:
    """Opens when enough of the picture changed."""

    def __init__(self, share: float, ignored: Sequence[Area]) -> None:
        """Open from `share` (0 to 1) of the picture on, always if 0; `ignored` counts nothing."""
        self._share = share
        self._ignored = ignored
        self._searched: Luma | None = None
        self._counts: NDArray[np.bool_] | None = None

    def moved(self, luma: Luma) -> bool:
        """Return whether the picture is another one than the last that was searched."""
        if self._share == 0 or self._searched is None or self._searched.shape != luma.shape:
            return True
        return self._changed(_calm(luma), self._searched) >= self._share

    def searched(self, luma: Luma) -> None:
        """Remember the picture that was searched."""
        self._searched = _calm(luma)

    def _changed(self, luma: Luma, before: Luma) -> float:
        """Return the share that changed, beyond a change of the light as a whole (exposure, a cloud)."""
        difference = luma.astype(np.int16) - before
        difference -= np.int16(np.median(difference))
        changed = np.abs(difference) >= _LEVEL
        if self._ignored:
            changed &= self._counting(luma.shape)
        return float(np.count_nonzero(changed) / changed.size)

    def _counting(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        if self._counts is None or self._counts.shape != shape:
            high, wide = shape
            self._counts = np.ones((high, wide), np.bool_)
            for area in self._ignored:
                rows = slice(round(area.y * high), round((area.y + area.height) * high))
                self._counts[rows, round(area.x * wide) : round((area.x + area.width) * wide)] = False
        return self._counts


def _calm(luma: Luma) -> Luma:
    return np.asarray(cv2.blur(luma, _BLUR), dtype=np.uint8)
