"""Sits before the S3 server and notes when it says that an object is there."""

import multiprocessing
import socket
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Self

_processes = multiprocessing.get_context("spawn")
_CONTINUE, _STORED = 100, 200

Stamps = dict[int, float]
"""Number of an event (the end of its id) -> when the answer to its put came, on the monotonic clock."""


class Tap:
    """A process that hands on one HTTP exchange after the other, for each connection a thread."""

    def __init__(self, target: tuple[str, int]) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._pipe, theirs = _processes.Pipe()
        self._process = _processes.Process(
            target=_run, args=(listener, target, theirs), daemon=True, name="tap"
        )
        self._process.start()
        listener.close()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    def stamps(self) -> Stamps:
        """Return the stamps since the last `forget`."""
        self._pipe.send("stamps")
        stamps: Stamps = self._pipe.recv()
        return stamps

    def forget(self) -> None:
        self._pipe.send("forget")
        self._pipe.recv()


def _run(listener: socket.socket, target: tuple[str, int], pipe: Pipe) -> None:
    stamps: Stamps = {}

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            threading.Thread(target=_serve, args=(near, target, stamps), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with suppress(EOFError):
        while True:
            if pipe.recv() == "forget":
                stamps.clear()
            pipe.send(dict(stamps))


def _serve(near: socket.socket, target: tuple[str, int], stamps: Stamps) -> None:
    with near, suppress(OSError, EOFError), socket.create_connection(target) as far:
        for side in (near, far):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client, server = _Reader(near), _Reader(far)
        while True:
            head = client.head()
            if b"\r\nexpect:" in head.lower():
                far.sendall(head)
                interim = server.head()
                near.sendall(interim)
                if _status(interim) != _CONTINUE:
                    near.sendall(server.body(interim))
                    continue
                far.sendall(client.body(head))
            else:
                far.sendall(head + client.body(head))
            answer = server.head()
            now = time.monotonic()
            if (
                head.startswith(b"PUT ")
                and _status(answer) == _STORED
                and (number := _number(head)) is not None
            ):
                stamps.setdefault(number, now)
            near.sendall(answer + (b"" if head.startswith(b"HEAD ") else server.body(answer)))


class _Reader:
    """Reads what one side of a connection says, message by message."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def head(self) -> bytes:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._more()
        head, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        return head

    def body(self, head: bytes) -> bytes:
        lower = head.lower()
        if b"\r\ntransfer-encoding:" in lower:
            raise OSError("the tap knows no chunks")
        _, found, rest = lower.partition(b"\r\ncontent-length:")
        size = int(rest.partition(b"\r\n")[0]) if found else 0
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return body

    def _more(self) -> None:
        data = self._connection.recv(256 * 1024)
        if not data:
            raise EOFError
        self._buffer += data


def _status(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


def _number(head: bytes) -> int | None:
    """Return the number of the event that a put is of; None for a probe."""
    name, dot, _ = head.split(b" ", 2)[1].rpartition(b".png")
    return int(name[-8:], 16) if dot else None
