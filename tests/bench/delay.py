"""A wire with a length: a TCP proxy in a process of its own that delays bytes and does not limit how many."""

import multiprocessing
import select
import socket
import time
from collections import deque
from types import TracebackType
from typing import Self

CHUNK_BYTES = 1024 * 1024

_processes = multiprocessing.get_context("spawn")


class Delay:
    """Listens on `port` and hands on to `target` what came so many seconds ago, each way."""

    def __init__(self, target: int, one_way_s: float) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self._process = _processes.Process(
            target=_run, args=(listener, target, one_way_s), daemon=True, name="delay"
        )
        self._process.start()
        listener.close()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()


class _Way:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.waiting: deque[tuple[float, memoryview]] = deque()
        self.ended = False

    def take(self, due: float) -> None:
        try:
            data = self.source.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended = True
        self.waiting.append((due, memoryview(data)))

    def give(self, now: float) -> float | None:
        """Send what is due; return when the next is, or None when that is for the target to say.

        Raises:
            OSError: when the way is at its end.
        """
        while self.waiting:
            due, data = self.waiting[0]
            if due > now:
                return due
            if not data:
                raise ConnectionResetError
            try:
                sent = self.target.send(data)
            except BlockingIOError:
                return now + 0.001
            if sent == len(data):
                self.waiting.popleft()
            else:
                self.waiting[0] = due, data[sent:]
        return None


class _Proxy:
    """All connections, on one thread."""

    def __init__(self, listener: socket.socket, target: int, one_way_s: float) -> None:
        self._listener = listener
        self._target = target
        self._one_way_s = one_way_s
        self._ways: dict[int, _Way] = {}
        self._readable = select.epoll()
        self._readable.register(listener, select.EPOLLIN)

    def serve(self) -> None:
        timeout: float | None = None
        while True:
            for descriptor, _ in self._readable.poll(timeout):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif way := self._ways.get(descriptor):
                    self._take(way)
            due = self._give()
            timeout = None if due is None else max(0.0, due - time.monotonic())

    def _accept(self) -> None:
        for way in _accepted(self._listener, self._target):
            self._ways[way.source.fileno()] = way
            self._readable.register(way.source, select.EPOLLIN)

    def _take(self, way: _Way) -> None:
        way.take(time.monotonic() + self._one_way_s)
        if way.ended:
            self._readable.unregister(way.source)

    def _give(self) -> float | None:
        """Send all that is due; return when the next is."""
        now = time.monotonic()
        dues = []
        for way in list(self._ways.values()):
            if way.source.fileno() < 0:
                continue  # ended with its opposite
            try:
                if (due := way.give(now)) is not None:
                    dues.append(due)
            except OSError:
                self._end(way)
        return min(dues, default=None)

    def _end(self, way: _Way) -> None:
        for side in (way.source, way.target):
            if not self._ways.pop(side.fileno()).ended:
                self._readable.unregister(side)
            side.close()


def _run(listener: socket.socket, target: int, one_way_s: float) -> None:
    listener.setblocking(False)  # noqa: FBT003 - of the standard library
    _Proxy(listener, target, one_way_s).serve()


def _accepted(listener: socket.socket, target: int) -> list[_Way]:
    near, _ = listener.accept()
    try:
        far = socket.create_connection(("127.0.0.1", target))
    except OSError:
        near.close()
        return []
    for side in (near, far):
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK_BYTES)
        side.setblocking(False)  # noqa: FBT003 - of the standard library
    return [_Way(near, far), _Way(far, near)]
