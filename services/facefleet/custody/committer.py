"""Group commit: what many give at nearly the same time goes to disk together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from facefleet.custody.entry import Entry, Kept
from facefleet.custody.spool import Spool

T = TypeVar("T")


class Committer(Generic[T]):
    """Appends on a thread of its own.

    Args:
        spool: where to.
        tell: hears of a whole batch after its fdatasync, on the committer's thread, in order.
        batch_most: entries in a batch, at most.
        batch_s: seconds that an entry waits for others, at most.
    """

    def __init__(
        self,
        spool: Spool,
        tell: Callable[[list[tuple[T, Kept]]], None],
        *,
        batch_most: int = 64,
        batch_s: float = 0.002,
    ) -> None:
        self._spool = spool
        self._tell = tell
        self._batch_most = batch_most
        self._batch_s = batch_s
        self._offers: deque[tuple[float, T, Entry]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def offer(self, token: T, entry: Entry) -> None:
        """Give an entry; see `offer_all`."""
        self.offer_all([(token, entry)])

    def offer_all(self, offers: Sequence[tuple[T, Entry]]) -> None:
        """Give entries; `tell` hears of the tokens. Never waits for the disk.

        Raises:
            RuntimeError: the committer is closed.
        """
        with self._changed:
            if self._closing:
                raise RuntimeError("the committer is closed")
            now = time.monotonic()
            before = len(self._offers)
            self._offers.extend((now, token, entry) for token, entry in offers)
            # In between, the thread waits for the time to pass: no need to wake it.
            if not before or before < self._batch_most <= len(self._offers):
                self._changed.notify()

    def close(self) -> None:
        """Commit what was offered, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._collect():
            kept = self._spool.append([entry for _, entry in batch])
            self._tell([(token, became) for (token, _), became in zip(batch, kept, strict=True)])

    def _collect(self) -> list[tuple[T, Entry]]:
        with self._changed:
            while not self._closing and len(self._offers) < self._batch_most:
                if not self._offers:
                    self._changed.wait()
                    continue
                left = self._offers[0][0] + self._batch_s - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            most = min(self._batch_most, len(self._offers))
            return [self._offers.popleft()[1:] for _ in range(most)]
