"""Reads the answer to one HTTP/1.1 request, of bounded size.

Source: RFC 9112, sections 4 to 7.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

HEAD_MOST_BYTES = 32 * 1024
BODY_MOST_BYTES = 64 * 1024
"""An error of S3 is a few hundred bytes of XML; a put's success has no body."""
INTERIM_MOST = 4

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9._-]{1,80})\s*</Code>")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_END_OF_HEAD = b"\r\n\r\n"
_PIECE = 65536

Receive = Callable[[int], bytes]
"""Returns at most so many bytes, and none at the end of the stream."""


class BrokenAnswerError(Exception):
    """What came is no whole HTTP answer. `begun` tells whether any of it came."""

    def __init__(self, reason: str, *, begun: bool = True) -> None:
        super().__init__(reason)
        self.begun = begun


class Answer(NamedTuple):
    """What a server said. Header names are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    lasting: bool
    """The connection may be used again."""

    @property
    def code(self) -> str:
        """Return the code in the body of an S3 error, or nothing."""
        found = _CODE.search(self.body)
        return found.group(1).decode() if found else ""

    def header(self, name: str) -> str:
        """Return a header's value, or nothing."""
        return self.headers.get(name.encode(), b"").decode("latin-1")


def read_answer(receive: Receive) -> Answer:
    """Read one answer to a request that was no HEAD.

    Raises:
        BrokenAnswerError: the stream ended too early, or this is not HTTP.
        OSError: whatever `receive` raises.
    """
    stream = _Stream(receive)
    for _ in range(INTERIM_MOST):
        minor, status, headers = _head(stream.head())
        if status >= 200:  # noqa: PLR2004 - what is below is said in the meantime
            break
    else:
        raise BrokenAnswerError("it only ever says 1xx")
    body, whole = _body(stream, status, headers)
    stays = minor == 1 and b"close" not in headers.get(b"connection", b"").lower()
    return Answer(status, headers, body, lasting=stays and whole and stream.is_empty)


class _Stream:
    """What came and was not yet read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._held = b""

    @property
    def is_empty(self) -> bool:
        return not self._held

    def head(self) -> bytes:
        return self._up_to(_END_OF_HEAD, HEAD_MOST_BYTES)

    def line(self) -> bytes:
        return self._up_to(b"\r\n", HEAD_MOST_BYTES)

    def exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            self._more("in its body")
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def rest(self, most: int) -> bytes:
        """Return what comes until the end of the stream, `most` bytes at the most."""
        while len(self._held) < most and (piece := self._receive(_PIECE)):
            self._held += piece
        return self._held[:most]

    def _up_to(self, mark: bytes, most: int) -> bytes:
        while (end := self._held.find(mark)) < 0:
            if len(self._held) > most:
                raise BrokenAnswerError(f"its head is longer than {most} bytes")
            self._more("in its head")
        taken, self._held = self._held[:end], self._held[end + len(mark) :]
        return taken

    def _more(self, where: str) -> None:
        piece = self._receive(_PIECE)
        if not piece:
            begun = bool(self._held) or where != "in its head"
            raise BrokenAnswerError(
                f"the connection ended {where}" if begun else "the connection ended before any answer",
                begun=begun,
            )
        self._held += piece


def _head(head: bytes) -> tuple[int, int, dict[bytes, bytes]]:
    """Return the minor version, the status and the headers."""
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if not status:
        raise BrokenAnswerError(f"it is not HTTP: {first[:40]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise BrokenAnswerError(f"one of its headers has no colon: {line[:40]!r}")
        headers[name.lower()] = value.strip()
    return int(status.group(1)), int(status.group(2)), headers


def _body(stream: _Stream, status: int, headers: dict[bytes, bytes]) -> tuple[bytes, bool]:
    """Return the body, and whether that is all of it: what is too long is cut off."""
    if status in (204, 304):
        return b"", True
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _chunks(stream)
    length = headers.get(b"content-length")
    if length is None:
        return stream.rest(BODY_MOST_BYTES), False
    if not _LENGTH.fullmatch(length):
        raise BrokenAnswerError(f"its content length is {length[:40]!r}")
    size = int(length)
    return stream.exactly(min(size, BODY_MOST_BYTES)), size <= BODY_MOST_BYTES


def _chunks(stream: _Stream) -> tuple[bytes, bool]:
    body = b""
    while True:
        line = _CHUNK.fullmatch(stream.line())
        if not line:
            raise BrokenAnswerError("one of its chunks has no size")
        size = int(line.group(1), 16)
        if len(body) + size > BODY_MOST_BYTES:
            return body, False
        if size == 0:
            while stream.line():  # trailers
                pass
            return body, True
        body += stream.exactly(size)
        if stream.line():
            raise BrokenAnswerError("one of its chunks is longer than it says")
