"""paho-mqtt's client, with a faster way for the messages themselves.

Connecting, subscribing, keeping alive and the codes are paho's. It reads a byte at a time, and reading
properties costs it ten times the rest (tests/bench/profile_forwarder.py), so publications are read and
written here: whole buffers, properties left as bytes, one system call for many packets. And one change: at
QoS 2 a message is given on when it comes and PUBREC waits for its acknowledgement: as safe as QoS 1.
"""

import enum
import itertools
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable

from paho.mqtt import client as paho
from paho.mqtt.client import MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MalformedPacket

from facefleet.runtime.settings import Qos

READ_BYTES = 256 * 1024
_PACKETS_A_CALL = 64
_TLS_RECORD = 16 * 1024
"""TLS writes one record a call; to give it more would be to copy more again and again."""
_CONNECT, _PUBLISH, _PUBACK, _PUBREC, _PUBREL, _PUBCOMP = 0x10, 0x30, 0x40, 0x50, 0x60, 0x70
_DISCONNECT = 0xE0
_FIRST_FAILURE = 0x80
_NO_MATCHING_SUBSCRIBERS = 0x10
_LENGTH_BYTES_MOST = 4
_QOS: tuple[Qos | None, ...] = (0, 1, 2, None)
_IDS = 65535

_FIRST = [bytes((_PUBLISH | flags,)) for flags in range(8)]
_two = struct.Struct("!H")
_acknowledgement = struct.Struct("!BBH")


class Outcome(enum.Enum):
    """What the broker made of a publication."""

    ACCEPTED = "accepted"
    UNROUTED = "unrouted"
    """Nobody had subscribed: it went nowhere."""
    REFUSED = "refused"
    UNSENT = "unsent"
    """Not connected, or the connection ended before an answer."""


Done = Callable[[Outcome], object]
Arrived = Callable[[str, memoryview, bytes, Qos, int, bool, bool], None]
"""Topic, payload (valid during the call only), properties, QoS, packet id, is it sent again, or retained."""


class Wire(paho.Client):
    """One connection over a socket that is connected already. One thread only."""

    def __init__(
        self, client_id: str, connection: socket.socket, arrived: Arrived, changed: Callable[[], object]
    ) -> None:
        """Take over a connected socket. `changed` is called when there is something to write."""
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, manual_ack=True)
        self._connection = connection
        self._arrived = arrived
        self._changed = changed
        self._buffer = bytearray(READ_BYTES)
        self._filled = 0
        self._out: deque[bytes | memoryview] = deque()
        self._written = 0
        """Bytes of the first packet in `_out` that are written already."""
        self._queued_total = 0
        self._written_total = 0
        self._at_most_once: deque[tuple[int, Done]] = deque()
        """QoS 0: done once the bytes up to here are written."""
        self._pending: dict[int, Done] = {}
        self._received: dict[int, Outcome] = {}
        """QoS 2: what PUBREC said."""
        self._ids = itertools.cycle(range(1, _IDS + 1))
        self._closing = False
        self._refused: bytes | None = None
        """What TLS could not write: it wants to see exactly the same again."""
        self.read_wants_write = False
        self.failure: OSError | None = None
        """What ended the connection, if it was not closed in good order."""

    # --- out ---

    def send(
        self,
        topic: bytes,
        payload: bytes | memoryview,
        properties: bytes,
        qos: Qos,
        *,
        retain: bool,
        done: Done,
    ) -> None:
        """Queue a publication; `done` hears what became of it."""
        packet_id = b""
        if qos:
            number = next(self._ids)
            while number in self._pending:
                number = next(self._ids)
            self._pending[number] = done
            packet_id = _two.pack(number)
        length = _varint(len(properties))
        rest = 2 + len(topic) + len(packet_id) + len(length) + len(properties) + len(payload)
        parts = (
            _FIRST[qos << 1 | retain],
            _varint(rest),
            _two.pack(len(topic)),
            topic,
            packet_id,
            length,
            properties,
        )
        self._queue(b"".join(parts))
        if payload:
            self._queue(payload)
        if not qos:
            self._at_most_once.append((self._queued_total, done))
        self._changed()

    def acknowledge(self, number: int, qos: Qos) -> None:
        """Tell the broker that it may forget a message."""
        if qos:
            self._queue(_acknowledgement.pack(_PUBACK if qos == 1 else _PUBREC, 2, number))
            self._changed()

    @property
    def unwritten(self) -> int:
        """Return how many bytes wait to be written."""
        return self._queued_total - self._written_total

    def flush(self) -> MQTTErrorCode:
        """Write what is queued as far as the socket takes it."""
        while self._out and self._sock is not None:
            try:
                count = self._write_some()
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            except OSError as error:
                return self._hear_out(error)
            self._last_msg_out = time.monotonic()
            self._written_total += count
            count += self._written
            while self._out and count >= len(self._out[0]):
                count -= len(self._out.popleft())
            self._written = count
            while self._at_most_once and self._at_most_once[0][0] <= self._written_total:
                self._at_most_once.popleft()[1](Outcome.ACCEPTED)
        if self._closing and self._sock is not None:
            self._closing = False
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def break_off(self) -> None:
        """End a connection on which nothing comes."""
        self._failed(TimeoutError())

    def abandon(self) -> list[Done]:
        """Forget all that has no answer, and return who waits for one."""
        waiting = [*self._pending.values(), *(done for _, done in self._at_most_once)]
        self._pending.clear()
        self._at_most_once.clear()
        self._out.clear()
        return waiting

    def _write_some(self) -> int:
        if isinstance(self._connection, ssl.SSLSocket):
            return self._write_record(self._connection)
        packets: list[bytes | memoryview] = list(itertools.islice(self._out, _PACKETS_A_CALL))
        packets[0] = memoryview(packets[0])[self._written :]
        return self._connection.sendmsg(packets)

    def _write_record(self, connection: ssl.SSLSocket) -> int:
        record = self._refused or self._next_record()
        self._refused = record
        count = connection.send(record)
        self._refused = None
        return count

    def _next_record(self) -> bytes:
        """Return what is queued, at most what goes into one record."""
        parts: list[bytes | memoryview] = []
        room, skipped = _TLS_RECORD, self._written
        for packet in self._out:
            part = memoryview(packet)[skipped : skipped + room]
            parts.append(part)
            room, skipped = room - len(part), 0
            if not room:
                break
        return b"".join(parts)

    def _hear_out(self, error: OSError) -> MQTTErrorCode:
        """Read what the other side said before it hung up: writing fails first, and does not tell why."""
        while self._sock is not None and self.read() is MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
        return MQTTErrorCode.MQTT_ERR_CONN_LOST if self._sock is None else self._failed(error)

    def _failed(self, error: OSError) -> MQTTErrorCode:
        self.failure = error
        return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)

    def _queue(self, packet: bytes | memoryview) -> None:
        self._out.append(packet)
        self._queued_total += len(packet)

    def _packet_queue(
        self, command: int, packet: bytes | bytearray, mid: int, qos: int, info: MQTTMessageInfo | None = None
    ) -> MQTTErrorCode:
        """Take paho's own packets into the same queue."""
        del mid, qos, info
        self._queue(bytes(packet))
        self._closing = self._closing or command & 0xF0 == _DISCONNECT
        self._changed()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    # --- in ---

    def read(self) -> MQTTErrorCode:
        """Read what the socket has, at most one buffer, and handle the packets in it."""
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            count = self._connection.recv_into(memoryview(self._buffer)[self._filled :])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            self.read_wants_write = isinstance(error, ssl.SSLWantWriteError)
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError as error:
            return self._failed(error)
        self.read_wants_write = False
        if not count:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._last_bytes_received = time.monotonic()
        self._filled += count
        try:
            self._handle_whole_packets()
        except MalformedPacket:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    @property
    def buffered(self) -> bool:
        """Return whether TLS holds bytes that no select tells of."""
        return (
            self._sock is not None
            and isinstance(self._connection, ssl.SSLSocket)
            and bool(self._connection.pending())
        )

    @property
    def wants_write(self) -> bool:
        """Return whether there is something to do once the socket can be written."""
        return self._queued_total > self._written_total or self.read_wants_write

    def _handle_whole_packets(self) -> None:
        view = memoryview(self._buffer)
        start = 0
        wanted = 0
        while self._sock is not None and self._filled - start > 1:
            length, body = self._buffer[start + 1], start + 2
            if length >= _FIRST_FAILURE:
                length, body = self._remaining_length(start + 1)
                if body < 0:
                    break
            if body + length > self._filled:
                wanted = body + length - start
                break
            self._handle(self._buffer[start], view[body : body + length])
            start = body + length
        self._keep_rest(start, wanted)

    def _remaining_length(self, position: int) -> tuple[int, int]:
        """Return a packet's length and where its body begins, -1 if that is not known yet."""
        length = 0
        for count in range(_LENGTH_BYTES_MOST):
            if position + count >= self._filled:
                return 0, -1
            byte = self._buffer[position + count]
            length |= (byte & 0x7F) << 7 * count
            if byte < _FIRST_FAILURE:
                return length, position + count + 1
        raise MalformedPacket("a remaining length of more than four bytes")

    def _keep_rest(self, start: int, wanted: int) -> None:
        rest = self._buffer[start : self._filled]
        size = max(READ_BYTES, wanted)
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
        self._buffer[: len(rest)] = rest
        self._filled = len(rest)

    def _handle(self, command: int, body: memoryview) -> None:
        kind = command & 0xF0
        if kind == _PUBLISH:
            self._handle_message(command, body)
        elif kind == _PUBACK:
            self._answered(_number(body), _outcome(body))
        elif kind == _PUBREC:
            self._handle_received(_number(body), _outcome(body))
        elif kind == _PUBREL:
            self._queue(_acknowledgement.pack(_PUBCOMP, 2, _number(body)))
            self._changed()
        elif kind == _PUBCOMP:
            self._answered(_number(body), self._received.pop(_number(body), Outcome.ACCEPTED))
        else:
            self._in_packet = {
                "command": command,
                "have_remaining": 1,
                "remaining_count": [],
                "remaining_mult": 1,
                "remaining_length": len(body),
                "packet": bytearray(body),
                "to_process": 0,
                "pos": 0,
            }
            result = self._packet_handle()
            if result and self._sock is not None:
                self._loop_rc_handle(result)

    def _handle_message(self, command: int, body: memoryview) -> None:
        qos = _QOS[command >> 1 & 3]
        try:
            end_of_topic = position = 2 + _two.unpack_from(body)[0]
            topic = str(body[2:end_of_topic], "utf-8")
            number = 0
            if qos:
                (number,) = _two.unpack_from(body, position)
                position += 2
            length = 0
            for shift in range(0, 7 * _LENGTH_BYTES_MOST, 7):
                byte = body[position]
                position += 1
                length |= (byte & 0x7F) << shift
                if byte < _FIRST_FAILURE:
                    break
        except (IndexError, UnicodeDecodeError, struct.error) as error:
            raise MalformedPacket(f"PUBLISH: {error}") from error
        end = position + length
        if qos is None or end_of_topic > len(body) or end > len(body):
            raise MalformedPacket("PUBLISH")
        again, retained = bool(command & 0x08), bool(command & 0x01)
        self._arrived(topic, body[end:], bytes(body[position:end]), qos, number, again, retained)

    def _handle_received(self, number: int, outcome: Outcome) -> None:
        if outcome is Outcome.REFUSED:
            self._answered(number, outcome)
        else:
            self._received[number] = outcome
            self._queue(_acknowledgement.pack(_PUBREL | 0x02, 2, number))
            self._changed()

    def _answered(self, number: int, outcome: Outcome) -> None:
        done = self._pending.pop(number, None)
        if done:
            done(outcome)

    def _create_socket(self) -> socket.socket:
        """Hand paho the connected socket instead of waiting for one."""
        return self._connection


def _number(body: memoryview) -> int:
    """Read the packet id of an acknowledgement."""
    if len(body) < 2:  # noqa: PLR2004 - the id itself
        raise MalformedPacket("an acknowledgement without a packet id")
    return body[0] << 8 | body[1]


def _outcome(body: memoryview) -> Outcome:
    """Read the reason code of an acknowledgement; one without is a success."""
    reason = body[2] if len(body) > 2 else 0  # noqa: PLR2004 - behind the packet id
    if reason >= _FIRST_FAILURE:
        return Outcome.REFUSED
    return Outcome.UNROUTED if reason == _NO_MATCHING_SUBSCRIBERS else Outcome.ACCEPTED


def _varint(number: int) -> bytes:
    if number < 1 << 7:
        return bytes((number,))
    if number < 1 << 14:
        return bytes((number & 0x7F | 0x80, number >> 7))
    if number < 1 << 21:
        return bytes((number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14))
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)
