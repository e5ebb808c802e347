"""An HTTP proxy before the S3 server that answers wrongly when told to. Standard library only.

Runs inside a container: the data port 8333 as the server's own, and the control port 8334: POST
`{"mode": ..., "share": 0..1, "delay_s": ...}` sets the fault, GET tells how many requests it struck.
Modes: pass, 500, 503, 403, slow, cut-request (the connection ends midway through the request, which
the server sees, too), cut-response (the server did it all, the answer is torn in the middle).
"""

import http.server
import json
import os
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

DATA_PORT = 8333
CONTROL_PORT = 8334
HEAD_MOST = 64 * 1024
ERRORS = {
    "500": ("500 Internal Server Error", "InternalError"),
    "503": ("503 Service Unavailable", "SlowDown"),
    "403": ("403 Forbidden", "AccessDenied"),
}
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Fault:
    """What is wrong just now. Thread-safe."""

    mode: str = "pass"
    share: float = 1.0
    delay_s: float = 0.0
    struck: int = 0
    passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self) -> str:
        """Return the mode for one request, and count it."""
        with self._lock:
            strikes = self.mode != "pass" and random.random() < self.share
            self.struck += strikes
            self.passed += not strikes
            return self.mode if strikes else "pass"

    def become(self, mode: str, share: float, delay_s: float) -> None:
        with self._lock:
            self.mode, self.share, self.delay_s, self.struck, self.passed = mode, share, delay_s, 0, 0


class Stream:
    """A connection that messages of HTTP/1.1 are read from."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._kept = b""

    def head(self) -> bytes:
        """Return a message's head with its empty line; empty at the end of the stream."""
        while b"\r\n\r\n" not in self._kept:
            more = self.connection.recv(65536)
            if not more or len(self._kept) > HEAD_MOST:
                return b""
            self._kept += more
        head, _, self._kept = self._kept.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end of the stream."""
        while len(self._kept) < size:
            more = self.connection.recv(65536)
            if not more:
                break
            self._kept += more
        data, self._kept = self._kept[:size], self._kept[size:]
        return data


def header(head: bytes, name: str) -> str:
    """Return a header's value, empty without one."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name.encode():
            return value.strip().decode("latin-1")
    return ""


def without(head: bytes, name: str) -> bytes:
    """Return a head without one of its headers."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(
        line for line in lines if line.partition(b":")[0].strip().lower() != name.encode() or line == lines[0]
    )


def reset(connection: socket.socket) -> None:
    """End a connection as a crash does, with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def response(stream: Stream, method: bytes) -> bytes:
    """Read one whole response, past what is only provisional."""
    while True:
        head = stream.head()
        if not head:
            return b""
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    if method == b"HEAD" or status in (204, 304):
        return head
    if "chunked" in header(head, "transfer-encoding"):
        return head + chunked(stream)
    return head + stream.read(int(header(head, "content-length") or 0))


def chunked(stream: Stream) -> bytes:
    """Read a chunked body as it is."""
    body = b""
    while True:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = stream.read(1)
            if not byte:
                return body
            line += byte
        body += line
        size = int(line.split(b";")[0], 16)
        body += stream.read(size + 2)
        if size == 0:
            return body


def refusal(mode: str) -> bytes:
    """Return an error as S3 words it."""
    status, code = ERRORS[mode]
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>'
        f"<Message>injected</Message><RequestId>chaos</RequestId></Error>"
    ).encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


class Exchange:
    """One client's connection, and the one to the server beside it."""

    def __init__(self, near: socket.socket, target: tuple[str, int], fault: Fault) -> None:
        self._near = near
        self._target = target
        self._fault = fault
        self._far: Stream | None = None

    def run(self) -> None:
        client = Stream(self._near)
        try:
            while head := client.head():
                if not self._one(client, head):
                    return
        except OSError:
            reset(self._near)
        finally:
            self._near.close()
            if self._far:
                self._far.connection.close()

    def _server(self) -> Stream:
        if self._far is None:
            far = socket.create_connection(self._target, timeout=60)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._far = Stream(far)
        return self._far

    def _one(self, client: Stream, head: bytes) -> bool:
        """Carry one request; False ends the connection."""
        mode = self._fault.draw()
        size = int(header(head, "content-length") or 0)
        if header(head, "expect"):
            self._near.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = without(head, "expect")
        if mode == "slow":
            time.sleep(self._fault.delay_s)
        if mode == "cut-request":
            half = client.read(size // 2)
            self._server().connection.sendall(head + half)
            reset(self._server().connection)
            self._far = None
            reset(self._near)
            return False
        body = client.read(size)
        if mode in ERRORS:
            self._near.sendall(refusal(mode))
            return True
        server = self._server()
        server.connection.sendall(head + body)
        answer = response(server, head.split(b" ", 1)[0])
        if not answer or mode == "cut-response":
            self._near.sendall(answer[: len(answer) // 2])
            reset(self._near)
            return False
        self._near.sendall(answer)
        return True


class Proxy:
    """Takes connections, a thread each."""

    def __init__(self, target: tuple[str, int], host: str = "", port: int = DATA_PORT) -> None:
        self.fault = Fault()
        self._target = target
        self._listener = socket.create_server((host, port), backlog=256)
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            exchange = Exchange(near, self._target, self.fault)
            threading.Thread(target=exchange.run, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def control(fault: Fault) -> type[http.server.BaseHTTPRequestHandler]:
    """Return the handler of the control port."""

    class Control(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault.become(told["mode"], told.get("share", 1.0), told.get("delay_s", 0.0))
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = json.dumps({"struck": fault.struck, "passed": fault.passed}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Control


def main() -> None:
    """Serve until killed."""
    host, _, port = os.environ["CHAOS_S3"].partition(":")
    proxy = Proxy((host, int(port)))
    server = http.server.ThreadingHTTPServer(("", CONTROL_PORT), control(proxy.fault))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy.run()


if __name__ == "__main__":
    main()
