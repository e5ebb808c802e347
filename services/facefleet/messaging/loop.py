"""One thread that serves sockets, timers and calls from other threads.

What runs on it needs no locks. A callback that raises ends the thread and so the service (runtime/service).
"""

import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

Call = Callable[[], object]
Ready = Callable[[bool, bool], None]
"""Called with whether the socket can be read and whether it can be written."""

_IDLE_S = 60.0


class Loop:
    """Runs callbacks on one thread of its own."""

    def __init__(self, name: str = "loop") -> None:
        """Make it ready; `start` runs it."""
        self._selector = selectors.DefaultSelector()
        self._calls: deque[Call] = deque()
        self._deferred: dict[Call, None] = {}
        self._timers: list[tuple[float, int, Call]] = []
        self._numbers = itertools.count()
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.settimeout(0)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._sleeping = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def here(self) -> bool:
        """Return whether the caller is on the loop's thread."""
        return threading.get_ident() == self._thread.ident

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after what was called before."""
        if self._thread.ident is None:
            self._close()
            return
        self.call(self._end)
        self._thread.join()

    def call(self, function: Call) -> None:
        """Run a function soon. Any thread."""
        self._calls.append(function)
        if self._sleeping:
            self._wake()

    def defer(self, function: Call) -> None:
        """Run a function once at the end of this turn, however often it is asked for. Loop's thread only."""
        self._deferred[function] = None

    def after(self, seconds: float, function: Call) -> None:
        """Run a function after some seconds. Loop's thread only."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), function))

    def watch(self, connection: socket.socket, ready: Ready, *, write: bool) -> None:
        """Tell when a socket can be read and, if asked for, written. Loop's thread only."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if write else 0)
        try:
            self._selector.modify(connection, events, ready)
        except KeyError:
            self._selector.register(connection, events, ready)

    def unwatch(self, connection: socket.socket) -> None:
        """Forget a socket, before it is closed. Loop's thread only."""
        try:
            self._selector.unregister(connection)
        except (KeyError, ValueError):
            return

    def _run(self) -> None:
        while not self._stopping:
            self._turn()
        self._close()

    def _turn(self) -> None:
        """Wait for something, and do all that is due."""
        self._sleeping = True
        events = self._selector.select(self._rest())
        self._sleeping = False
        for key, mask in events:
            if key.data is None:
                self._drain_wakes()
            else:
                key.data(bool(mask & selectors.EVENT_READ), bool(mask & selectors.EVENT_WRITE))
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        for _ in range(len(self._calls)):
            self._calls.popleft()()
        while self._deferred:
            deferred, self._deferred = self._deferred, {}
            for function in deferred:
                function()

    def _rest(self) -> float:
        """Return how long to wait at most. `_sleeping` is set already, so that no call is missed."""
        if self._calls:
            return 0.0
        if not self._timers:
            return _IDLE_S
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _wake(self) -> None:
        try:
            self._waker.send(b"\0")
        except (BlockingIOError, OSError):
            return  # awake already, or ended

    def _drain_wakes(self) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return

    def _end(self) -> None:
        self._stopping = True

    def _close(self) -> None:
        self._selector.close()
        self._waker.close()
        self._woken.close()
