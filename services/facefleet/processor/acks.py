"""Acknowledgements in the order in which the messages came, whichever is finished first.

Source: MQTT 5.0, [MQTT-4.6.0-2] and [MQTT-4.6.0-3].
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Turn:
    """One message's place in the order."""

    acknowledge: Callable[[], object]
    finished: bool = False


class OrderedAcks:
    """Acknowledges what is finished as soon as all before it is. Thread-safe.

    No lock is held while `acknowledge` runs, for it may need a lock of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: deque[Turn] = deque()
        self._sending = False

    def __len__(self) -> int:
        """Return how many came and are not acknowledged."""
        return len(self._turns)

    def arrive(self, acknowledge: Callable[[], object]) -> Turn:
        """Note that a message came."""
        turn = Turn(acknowledge)
        with self._lock:
            self._turns.append(turn)
        return turn

    def finish(self, turn: Turn) -> None:
        """Acknowledge it, and all finished ones that waited for it, or note that it waits for others."""
        turn.finished = True
        while ready := self._take_finished():
            for each in ready:
                each.acknowledge()
            with self._lock:
                self._sending = False

    def forget(self) -> None:
        """Drop all: the connection that they came on has ended, and with it its order."""
        with self._lock:
            self._turns.clear()

    def _take_finished(self) -> list[Turn]:
        """Return what may be acknowledged now, unless another thread is at it: it looks again when done."""
        ready: list[Turn] = []
        with self._lock:
            if not self._sending:
                while self._turns and self._turns[0].finished:
                    ready.append(self._turns.popleft())
                self._sending = bool(ready)
        return ready
