"""MQTT 5 packets made and read by hand, many at a time: the harness must cost less than what it measures."""

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple, Self

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
PINGREQ = b"\xc0\x00"
RECEIVE_MAXIMUM_MOST = 65535
SESSION_FOR_EVER_S = 0xFFFFFFFF
NO_MATCHING_SUBSCRIBERS = 0x10

_CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION, _SESSION_EXPIRY = b"\x03", b"\x08", b"\x09", b"\x11"
_RECEIVE_MAXIMUM, _USER_PROPERTY = b"\x21", b"\x26"
_BUFFER_BYTES = 4 * 1024 * 1024


class WireError(Exception):
    """The broker said something else than expected, or ended the connection."""


class Frame(NamedTuple):
    """One packet in the buffer of its connection, good until the next `receive`."""

    head: int
    """The first byte: kind and flags."""
    start: int
    end: int


def variable(number: int) -> bytes:
    """Return a Variable Byte Integer."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def string(text: str | bytes) -> bytes:
    """Return text, or binary data, with its length before it."""
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("!H", len(data)) + data


def connect(client_id: str, *, session_expiry_s: int = 0) -> bytes:
    """Return a CONNECT; with an expiry the session goes on where it was."""
    properties = _SESSION_EXPIRY + struct.pack("!I", session_expiry_s)
    properties += _RECEIVE_MAXIMUM + struct.pack("!H", RECEIVE_MAXIMUM_MOST)
    flags = 0 if session_expiry_s else 2
    body = string("MQTT") + struct.pack("!BBH", 5, flags, 0)
    return _packet(0x10, body + variable(len(properties)) + properties + string(client_id))


def subscribe(topic_filter: str, qos: int) -> bytes:
    """Return a SUBSCRIBE."""
    return _packet(0x82, b"\x00\x01\x00" + string(topic_filter) + bytes([qos]))


def properties(
    user: Sequence[tuple[str, str]] = (),
    *,
    content_type: str = "",
    response_topic: str = "",
    correlation: bytes = b"",
) -> bytes:
    """Return the properties of a PUBLISH, without their length."""
    encoded = bytearray()
    if content_type:
        encoded += _CONTENT_TYPE + string(content_type)
    if response_topic:
        encoded += _RESPONSE_TOPIC + string(response_topic)
    if correlation:
        encoded += _CORRELATION + string(correlation)
    for name, value in user:
        encoded += _USER_PROPERTY + string(name) + string(value)
    return bytes(encoded)


def publish_head(topic: str, packet_id: int, encoded: bytes, payload_bytes: int) -> bytes:
    """Return all of a QoS 1 PUBLISH that stands before its payload."""
    body = string(topic) + struct.pack("!H", packet_id) + variable(len(encoded)) + encoded
    return bytes([PUBLISH | 2]) + variable(len(body) + payload_bytes) + body


def correlation_at(data: bytearray, start: int, end: int) -> int:
    """Return where the Correlation Data of a PUBLISH starts, its length before it; -1 when it has none.

    Args:
        data: holds the properties from `start` to `end`.
        start: of the first property.
        end: of the last one.
    """
    position = start
    while position < end:
        kind = data[position]
        position += 1
        if kind == _CORRELATION[0]:
            return position
        if kind == _USER_PROPERTY[0]:
            position += 2 + int.from_bytes(data[position : position + 2])
            position += 2 + int.from_bytes(data[position : position + 2])
        elif kind in (_CONTENT_TYPE[0], _RESPONSE_TOPIC[0]):
            position += 2 + int.from_bytes(data[position : position + 2])
        elif kind == 0x01:  # payload format
            position += 1
        elif kind == 0x02:  # message expiry
            position += 4
        elif kind == 0x0B:  # subscription identifier
            while data[position] & 128:
                position += 1
            position += 1
        else:
            raise WireError(f"property {kind:#x} in a PUBLISH")
    return -1


class Connection:
    """One connection to a broker on the loopback."""

    def __init__(self, port: int, client_id: str, *, session_expiry_s: int = 0) -> None:
        self.data = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self.data)
        self._start = self._end = 0
        self._unread = False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(connect(client_id, session_expiry_s=session_expiry_s))
            self._expect(CONNACK)
            self.socket.settimeout(None)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def subscribe(self, topic_filter: str, qos: int) -> None:
        """Subscribe; only for a connection that has nothing to receive yet."""
        self.socket.sendall(subscribe(topic_filter, qos))
        self._expect(SUBACK)

    def _expect(self, kind: int) -> None:
        while not (frames := self.receive()):
            pass
        head, start, end = frames[0]
        reason = self.data[start + 1] if kind == CONNACK else self.data[end - 1]
        if head != kind or reason >= 0x80:
            raise WireError(
                f"expected {kind:#x}, the broker said {bytes(self.data[start - 2 : end]).hex(' ')}"
            )
        self._start, self._unread = end, len(frames) > 1  # the rest is for the next `receive`

    def receive(self) -> list[Frame]:
        """Wait for bytes; return the packets that are whole now.

        Raises:
            WireError: when the connection has ended.
        """
        data = self.data
        rest = self._end - self._start
        if self._start:
            data[:rest] = data[self._start : self._end]
        taken = 0
        if self._unread:
            self._unread = False
        elif not (taken := self.socket.recv_into(self._view[rest:])):
            raise WireError("the broker ended the connection")
        frames = []
        position, end = 0, rest + taken
        while end - position > 1:
            length = data[position + 1]
            body = position + 2
            if length > 127:
                length &= 127
                shift = 7
                while body < end:
                    byte = data[body]
                    body += 1
                    length |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                else:
                    break
            if body + length > end:
                break
            frames.append(Frame(data[position], body, body + length))
            position = body + length
        self._start, self._end = position, end
        return frames


def _packet(head: int, body: bytes) -> bytes:
    return bytes([head]) + variable(len(body)) + body
