"""An HTTP server on the loopback that answers as a test says, byte for byte."""

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator

OK = b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n'
CLOSE = b""
"""An answer that is none: the connection ends."""
RESET = b"reset"


class Last(bytes):
    """What is said before the connection ends."""

    __slots__ = ()


def answer(status: int, code: str = "", *headers: str) -> bytes:
    """Return an S3 error, or an empty answer without a code."""
    body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode() if code else b""
    lines = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class ScriptedServer:
    """Answers each request with what `reply` returns for its head and body, and keeps all requests."""

    def __init__(self, reply: Callable[[bytes, bytes], bytes], context: ssl.SSLContext | None = None) -> None:
        self.reply = reply
        self._context = context
        self.reads_body: Callable[[bytes], bool] = lambda _head: True
        """Whether a request is read to its end, or the connection closed in the middle of it."""
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def drop_all(self) -> None:
        """End the connections that are open, as a server that restarts does."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _secured(self, plain: socket.socket) -> socket.socket:
        return self._context.wrap_socket(plain, server_side=True) if self._context else plain

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._secured(plain) as connection:
            for head, body in requests_of(connection, self.reads_body):
                self.requests.append((head, body))
                said = self.reply(head, body)
                if said == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if said in (CLOSE, RESET):
                    return
                connection.sendall(said)
                if isinstance(said, Last):
                    return


def requests_of(
    connection: socket.socket, reads_body: Callable[[bytes], bool]
) -> Iterator[tuple[bytes, bytes]]:
    """Yield head and body of each request that comes by a connection."""
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            piece = connection.recv(65536)
            if not piece:
                return
            held += piece
        head, _, held = held.partition(b"\r\n\r\n")
        if not reads_body(head):
            return
        found = re.search(rb"(?i)\r\ncontent-length: ?(\d+)", head)
        size = int(found[1]) if found else 0
        while len(held) < size:
            piece = connection.recv(65536)
            if not piece:
                return
            held += piece
        yield head, held[:size]
        held = held[size:]
