"""The link at the wire: a peer that sends what it likes, cuts where it likes, and reads what we say."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from facefleet.messaging.link import Link, Outcome
from facefleet.runtime.settings import Qos
from pydantic import AnyUrl

from tests.integration.waiting import await_until

if TYPE_CHECKING:
    from facefleet.messaging.delivery import Delivery

CONNACK = bytes.fromhex("2003000000")
PUBACK, PUBREC, PUBREL, PUBCOMP = 0x40, 0x50, 0x62, 0x70


class Peer:
    """Takes connections one after the other, answers CONNECT, and is then the test's to play."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.port = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None

    def accept(self, answer: bytes = CONNACK) -> None:
        """Wait for the next connection and answer its CONNECT."""
        self.cut()
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(10)
        assert self.packet()[0] == 0x10
        self.say(answer)

    def say(self, data: bytes) -> None:
        assert self._connection
        self._connection.sendall(data)

    def packet(self) -> tuple[int, bytes]:
        """Return first byte and body of the next packet, without pings and disconnects."""
        first = self._read(1)[0]
        length = shift = 0
        while True:
            byte = self._read(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = self._read(length)
        return (first, body) if first != 0xC0 else self.packet()

    def ends(self) -> bool:
        """Return whether the other side hangs up."""
        assert self._connection
        with contextlib.suppress(OSError):
            while self._connection.recv(65536):
                pass
        return True

    def cut(self) -> None:
        if self._connection:
            self._connection.close()

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _read(self, size: int) -> bytes:
        assert self._connection
        data = b""
        while len(data) < size:
            more = self._connection.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data


def publish(
    payload: bytes, number: int = 1, qos: int = 1, *, dup: bool = False, retain: bool = False
) -> bytes:
    head = struct.pack("!H", 3) + b"a/b" + (struct.pack("!H", number) if qos else b"") + b"\x00"
    length, size = b"", len(head) + len(payload)
    while True:
        size, low = size >> 7, size & 0x7F
        length += bytes([low | (0x80 if size else 0)])
        if not size:
            break
    return bytes([0x30 | dup << 3 | qos << 1 | retain]) + length + head + payload


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()


class Near:
    """Our side."""

    def __init__(self, peer: Peer) -> None:
        self.deliveries: list[Delivery] = []
        self.states: list[bool] = []
        self.link = Link(
            AnyUrl(f"mqtt://127.0.0.1:{peer.port}"),
            "near",
            on_message=self.deliveries.append,
            on_state=lambda connected, _: self.states.append(connected),
        )

    def publish(self, qos: Qos = 1) -> list[Outcome]:
        outcomes: list[Outcome] = []
        await_until(lambda: self.link.connected, 10, "it is connected")
        self.link.publish("a/b", b"face", qos=qos, done=outcomes.append)
        return outcomes


@pytest.fixture
def near(peer: Peer) -> Iterator[Near]:
    made = Near(peer)
    made.link.start()
    yield made
    made.link.stop()


def test_packets_in_pieces_of_any_size_are_whole_messages(peer: Peer, near: Near) -> None:
    payloads = [b"", b"x", bytes(200), bytes(20_000), bytes(400_000), b"last"]
    stream = b"".join(publish(payload, number) for number, payload in enumerate(payloads, 1))
    peer.accept()
    for begin in range(0, 400, 1):  # byte by byte at first
        peer.say(stream[begin : begin + 1])
    peer.say(stream[400:])
    await_until(lambda: len(near.deliveries) == len(payloads), 10, "all are there")
    assert [delivery.payload for delivery in near.deliveries] == payloads
    for delivery in near.deliveries:
        delivery.acknowledge()
    assert [peer.packet() for _ in payloads] == [
        (PUBACK, struct.pack("!H", number)) for number in range(1, len(payloads) + 1)
    ]


def test_cut_before_the_puback_it_is_unsent(peer: Peer, near: Near) -> None:
    peer.accept()
    outcomes = near.publish()
    assert peer.packet()[0] == 0x32
    peer.cut()
    await_until(lambda: outcomes == [Outcome.UNSENT], 10, "it is told")


def test_cut_after_the_puback_it_is_accepted(peer: Peer, near: Near) -> None:
    peer.accept()
    outcomes = near.publish()
    _, body = peer.packet()
    peer.say(bytes([PUBACK, 2]) + body[5:7])
    peer.cut()
    await_until(lambda: outcomes == [Outcome.ACCEPTED], 10, "it is told")


@pytest.mark.parametrize("qos", [1, 2])
def test_what_comes_again_says_so_and_an_old_acknowledgement_does_not_count_for_it(
    peer: Peer, near: Near, qos: Qos
) -> None:
    peer.accept()
    peer.say(publish(b"face", 7, qos))
    await_until(lambda: len(near.deliveries) == 1, 10, "it came")
    peer.cut()
    peer.accept()
    peer.say(publish(b"face", 7, qos, dup=True))
    await_until(lambda: len(near.deliveries) == 2, 10, "it came again")
    first, second = near.deliveries
    assert (first.redelivered, second.redelivered) == (False, True)
    first.acknowledge()
    second.acknowledge()
    assert peer.packet() == ({1: PUBACK, 2: PUBREC}[qos], struct.pack("!H", 7))
    peer.say(bytes([PUBACK, 2, 0, 9]))  # of nothing that we sent
    peer.say(publish(b"next", 8))
    await_until(lambda: len(near.deliveries) == 3, 10, "it goes on")


def test_what_was_published_before_is_told_from_what_comes_now(peer: Peer, near: Near) -> None:
    peer.accept()
    peer.say(publish(b"before", 1, retain=True) + publish(b"now", 2))
    await_until(lambda: len(near.deliveries) == 2, 10, "both came")
    assert [delivery.retained for delivery in near.deliveries] == [True, False]


def test_at_qos_2_pubrec_waits_for_the_acknowledgement(peer: Peer, near: Near) -> None:
    peer.accept()
    peer.say(publish(b"face", 7, 2))
    await_until(lambda: len(near.deliveries) == 1, 10, "it came")
    peer.say(publish(b"other", 8, 1))
    await_until(lambda: len(near.deliveries) == 2, 10, "the other came")
    near.deliveries[1].acknowledge()
    assert peer.packet() == (PUBACK, struct.pack("!H", 8))
    near.deliveries[0].acknowledge()
    assert peer.packet() == (PUBREC, struct.pack("!H", 7))
    peer.say(bytes([PUBREL, 2, 0, 7]))
    assert peer.packet() == (PUBCOMP, struct.pack("!H", 7))


@pytest.mark.parametrize(("reason", "outcome"), [(0x00, Outcome.ACCEPTED), (0x10, Outcome.UNROUTED)])
def test_at_qos_2_both_steps_are_taken(peer: Peer, near: Near, reason: int, outcome: Outcome) -> None:
    peer.accept()
    outcomes = near.publish(2)
    _, body = peer.packet()
    peer.say(bytes([PUBREC, 3]) + body[5:7] + bytes([reason]))
    assert peer.packet() == (PUBREL, body[5:7])
    assert outcomes == []
    peer.say(bytes([PUBCOMP, 2]) + body[5:7])
    await_until(lambda: outcomes == [outcome], 10, "it is told")


@pytest.mark.parametrize(
    "junk",
    [
        b"\x32\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\x32\x02\x00\x09",  # a topic longer than the packet
        b"\x32\x07\x00\x01a\x00\x01\x7f\x00",  # properties longer than the packet
        b"\x32\x07\x00\x02\xff\xfe\x00\x01\x00",  # a topic that is not UTF-8
        b"\x32\x00",
        b"\x40\x00",
        b"\x40\x01\x00",
        b"\x50\x01\x00",
        b"\x70\x00",
        b"\x20\x00",
        b"\x90\x01\x00",
        b"\xf0\x00",
    ],
    ids=lambda junk: junk.hex(),
)
def test_a_malformed_packet_ends_the_connection_and_the_next_one_works(
    peer: Peer, near: Near, junk: bytes
) -> None:
    peer.accept()
    await_until(lambda: near.link.connected, 10, "it is connected")
    peer.say(junk)
    assert peer.ends()
    peer.accept()
    peer.say(publish(b"face"))
    await_until(lambda: near.deliveries, 10, "it works again")


def test_a_refused_connection_is_tried_again(peer: Peer, near: Near) -> None:
    peer.accept(bytes.fromhex("2003008700"))  # not authorised
    peer.cut()
    peer.accept()
    await_until(lambda: near.link.connected, 10, "it is connected")
    assert near.states == [False, True]


def test_a_peer_that_says_nothing_is_left(peer: Peer, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    del near
    monkeypatch.setattr("facefleet.messaging.link.ANSWER_WITHIN_S", 0.3)
    silent = Near(peer)
    silent.link.start()
    try:
        for _ in range(3):  # the fixture's own among them
            peer.accept(b"")
    finally:
        silent.link.stop()


def test_from_many_threads_each_publication_is_answered_once(peer: Peer, near: Near) -> None:
    peer.accept()
    await_until(lambda: near.link.connected, 10, "it is connected")
    outcomes: list[Outcome] = []

    def say(send: Callable[..., None]) -> None:
        for _ in range(50):
            send("a/b", b"x", done=outcomes.append)

    threads = [threading.Thread(target=say, args=(near.link.publish,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = set()
    for _ in range(200):
        _, body = peer.packet()
        seen.add(body[5:7])
        peer.say(bytes([PUBACK, 2]) + body[5:7])
    await_until(lambda: len(outcomes) == 200, 10, "all are answered")
    assert len(seen) == 200
    assert set(outcomes) == {Outcome.ACCEPTED}


def test_a_connection_that_comes_after_the_stop_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    dial, stopped = socket.create_connection, threading.Event()

    def slow(*address: Any, **options: Any) -> socket.socket:
        stopped.wait(10)
        return dial(*address, **options)

    monkeypatch.setattr(socket, "create_connection", slow)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        link = Link(AnyUrl(f"mqtt://127.0.0.1:{listener.getsockname()[1]}"), "late")
        link.start()
        link.stop()
        stopped.set()
        listener.settimeout(10)
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(1) == b""
