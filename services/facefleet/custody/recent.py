"""The keys taken last, to tell what is sent twice."""

from collections import deque
from collections.abc import Iterable

MOST = 20_000


class RecentKeys:
    """The last 20,000 keys in the order in which they were taken."""

    def __init__(self, keys: Iterable[int] = ()) -> None:
        self._order: deque[int] = deque()
        self._known: set[int] = set()
        for key in keys:
            self.add(key)

    def __contains__(self, key: int) -> bool:
        """Say whether a key was taken lately."""
        return key in self._known

    def add(self, key: int) -> None:
        """Remember a key, and forget the oldest when there are too many."""
        if key in self._known:
            return
        if len(self._order) == MOST:
            self._known.discard(self._order.popleft())
        self._order.append(key)
        self._known.add(key)
