"""Stands before an S3 server and does to some requests what networks and servers do."""

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

from facefleet.storage.answer import read_answer

from tests.unit.storage.scripted import CLOSE, RESET, Last, ScriptedServer, answer

Fault = Callable[["S3Faults", bytes, bytes], bytes]


class S3Faults(ScriptedServer):
    """Applies a fault to the first `times` requests for each object; all others reach the server."""

    def __init__(self, target_port: int) -> None:
        super().__init__(self._pass_or_fail)
        self._target = ("127.0.0.1", target_port)
        self._seen: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self.fault: Fault | None = None
        self.times = 0
        self.delay_s: Callable[[bytes], float] = lambda _key: 0.0
        self.held = threading.Event()
        self.held.set()
        """While cleared, no request gets any further."""
        self.applied = 0

    def forward(self, head: bytes, body: bytes) -> bytes:
        """Have the server do it, and return what it says."""
        with socket.create_connection(self._target, timeout=20) as server:
            server.sendall(head + b"\r\n\r\n" + body)
            said = bytearray()

            def receive(size: int) -> bytes:
                data = server.recv(size)
                said.extend(data)
                return data

            read_answer(receive)
            return bytes(said)

    def _pass_or_fail(self, head: bytes, body: bytes) -> bytes:
        self.held.wait(60)
        key = key_of(head)
        time.sleep(self.delay_s(key))
        if self.fault and self._is_hit(key):
            return self.fault(self, head, body)
        return self.forward(head, body)

    def _is_hit(self, key: bytes) -> bool:
        with self._lock:
            if b"/probes/" in key or self._seen[key] >= self.times:
                return False
            self._seen[key] += 1
            self.applied += 1
            return True

    def close_in_mid_body(self) -> None:
        """End the connection before the first requests for each object were read."""
        self.reads_body = lambda head: not self._is_hit(key_of(head))


def key_of(head: bytes) -> bytes:
    found = re.match(rb"[A-Z]+ (\S+) ", head)
    return found[1] if found else b""


def says(status: int, code: str = "") -> Fault:
    return lambda _faults, _head, _body: answer(status, code)


def ends(_faults: S3Faults, _head: bytes, _body: bytes) -> bytes:
    """It was read, not done, and not answered."""
    return CLOSE


def resets(_faults: S3Faults, _head: bytes, _body: bytes) -> bytes:
    return RESET


def loses_the_answer(faults: S3Faults, head: bytes, body: bytes) -> bytes:
    """It is done, and nobody hears of it."""
    faults.forward(head, body)
    return CLOSE


def cuts_the_answer(faults: S3Faults, head: bytes, body: bytes) -> bytes:
    return Last(faults.forward(head, body)[:25])


def talks_nonsense(_faults: S3Faults, _head: bytes, _body: bytes) -> bytes:
    return Last(b"\x00\x01 what?\r\n\r\n")


def damages_the_body(faults: S3Faults, head: bytes, body: bytes) -> bytes:
    """A bit falls over on the way: the server's checks find it."""
    return faults.forward(head, bytes([body[0] ^ 1]) + body[1:])
