"""The jobs of the workers: those to be done now, and those to be tried again later."""

import heapq
import itertools
import threading
import time
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Jobs(Generic[T]):
    """Hands out jobs, those that came first first. A job that waits takes up no worker. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ready: deque[T] = deque()
        self._waiting: list[tuple[float, int, T]] = []
        self._order = itertools.count()
        self._closed = False

    def add(self, job: T) -> None:
        """Have it done as soon as a worker is free."""
        with self._changed:
            self._ready.append(job)
            self._changed.notify()

    def later(self, job: T, seconds: float) -> None:
        """Have it done after so many seconds."""
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._order), job))
            self._changed.notify()  # whoever waits may have to wake earlier

    def hurry(self) -> None:
        """Have all done now that were to be done later."""
        with self._changed:
            self._ready.extend(job for _, _, job in sorted(self._waiting))
            self._waiting.clear()
            self._changed.notify_all()

    def close(self, *, discard: bool) -> None:
        """End: workers get what is ready, unless it is to be discarded, and then nothing more."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            if discard:
                self._ready.clear()
            self._changed.notify_all()

    def take(self) -> T | None:
        """Wait for a job; None means that there will be none."""
        with self._changed:
            while (job := self._due()) is None:
                if self._closed:
                    return None
                self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
            return job

    def _due(self) -> T | None:
        if self._waiting and self._waiting[0][0] <= time.monotonic():
            return heapq.heappop(self._waiting)[2]
        return self._ready.popleft() if self._ready else None
