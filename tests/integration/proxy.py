"""A TCP proxy whose connections a test can cut, hold and refuse."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards one loopback port to another."""

    def __init__(self, target_port: int) -> None:
        self.there = bytearray()
        """What went to the target, of all connections."""
        self.back = bytearray()
        self.records = False
        self._target = ("127.0.0.1", target_port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._pairs: list[socket.socket] = []
        self._lock = threading.Lock()
        self.taken = 0
        """Connections so far."""
        self._listener: socket.socket | None = None
        self.port = 0
        self.allow()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.refuse()
        self._flowing.set()

    def cut(self) -> None:
        """End all connections at once; new ones are taken."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for side in pairs:
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def hold(self) -> None:
        """Take connections and bytes, and keep them until `release`."""
        self._flowing.clear()

    def release(self) -> None:
        """Let held and new bytes through."""
        self._flowing.set()

    def refuse(self) -> None:
        """End all connections and refuse new ones, as a host that is down does."""
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()

    def allow(self) -> None:
        """Take connections, at the same port as before."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.taken += 1
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with self._lock:
            self._pairs.append(near)
        self._flowing.wait()
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._pairs.append(far)
        for side in (near, far):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pump, args=(far, near, self.back), daemon=True)
        back.start()
        self._pump(near, far, self.there)
        back.join()
        for side in (near, far):
            side.close()

    def _pump(self, source: socket.socket, sink: socket.socket, record: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if self.records:
                    record += data
                sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
