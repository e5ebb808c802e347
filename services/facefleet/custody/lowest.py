"""The lowest scores of a segment, without a look at each record for each of them."""

import heapq
from bisect import insort
from collections.abc import Sequence

from facefleet.custody.layout import WAITING

STEPS = 64


class Lowest:
    """A ladder of the records with the lowest scores, built by one scan for many steps down."""

    def __init__(self, states: bytearray, scores: Sequence[float]) -> None:
        self._states = states
        self._scores = scores
        self._ladder: list[int] = []
        """The best first, the next victim last; all others that wait score at least as much as the first."""

    @property
    def in_use(self) -> bool:
        """Return whether anybody has asked yet."""
        return bool(self._ladder)

    def index(self) -> int:
        """Return the oldest record among those with the lowest score that wait; -1 when none waits."""
        while True:
            while self._ladder:
                if self._states[self._ladder[-1]] == WAITING:
                    return self._ladder[-1]
                self._ladder.pop()
            waiting = (at for at, state in enumerate(self._states) if state == WAITING)
            self._ladder = heapq.nsmallest(STEPS, waiting, key=self._rank)[::-1]
            if not self._ladder:
                return -1

    def waits(self, index: int) -> None:
        """Take note of a record that waits now and did not before."""
        if self._ladder and self._rank(index) < self._rank(self._ladder[0]) and index not in self._ladder:
            insort(self._ladder, index, key=lambda at: tuple(-part for part in self._rank(at)))
            if len(self._ladder) > 2 * STEPS:
                del self._ladder[:STEPS]

    def _rank(self, index: int) -> tuple[float, int]:
        return self._scores[index], index
