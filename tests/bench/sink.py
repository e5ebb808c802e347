"""The sink: a process that takes what the cloud broker has and, if told so, answers as a processor does."""

import binascii
import multiprocessing
import select
import time
from multiprocessing.sharedctypes import RawArray
from types import TracebackType
from typing import Self

from tests.bench import load, wire

RECEIPTS_AT_ONCE = 100
RECEIPTS_WAIT_S = 0.02
"""Both as the processor has them."""
NUMBERS_MOST = 4_000_000
"""Events of one route, over all rounds."""

_processes = multiprocessing.get_context("spawn")


class Counts:
    """What has come so far. Lies in memory that all processes see; one writes."""

    def __init__(self) -> None:
        self._cells = RawArray("Q", 3)

    @property
    def distinct(self) -> int:
        """Events, each once."""
        return int(self._cells[0])

    @property
    def repeats(self) -> int:
        return int(self._cells[1])

    @property
    def connections(self) -> int:
        return int(self._cells[2])

    def write(self, distinct: int, repeats: int, connections: int) -> None:
        self._cells[:] = (distinct, repeats, connections)


class Sink:
    """Subscribed with a session that outlives the broker's restarts; reconnects at once."""

    def __init__(self, port: int, device: str, *, answers: bool) -> None:
        self.counts = Counts()
        self._process = _processes.Process(
            target=_run, args=(port, device, answers, self.counts), daemon=True, name="sink"
        )
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()


class _Taken:
    """Which events have come."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._seen = bytearray(NUMBERS_MOST)
        self.distinct = self.repeats = self.connections = 0

    def add(self, number: int) -> None:
        if self._seen[number]:
            self.repeats += 1
        else:
            self._seen[number] = 1
            self.distinct += 1

    def show(self) -> None:
        self._counts.write(self.distinct, self.repeats, self.connections)


def _run(port: int, device: str, answers: bool, counts: Counts) -> None:  # noqa: FBT001 - of a process
    taken = _Taken(counts)
    while True:
        try:
            with wire.Connection(port, f"{device}-sink", session_expiry_s=wire.SESSION_FOR_EVER_S) as broker:
                if not taken.connections:
                    broker.subscribe(f"{load.PREFIX}/{device}/+", 1)
                taken.connections += 1
                taken.show()
                _take(broker, _Answers(broker, device) if answers else None, taken)
        except (OSError, wire.WireError):
            time.sleep(0.005)


class _Answers:
    """Receipts that wait for more of their kind."""

    def __init__(self, broker: wire.Connection, device: str) -> None:
        self._broker = broker
        self._topic = f"receipts/{device}"
        self._properties = wire.properties(content_type="application/json")
        self._ready = select.poll()
        self._ready.register(broker.socket, select.POLLIN)
        self._waiting: list[str] = []
        self._due = 0.0

    def add(self, correlation: bytes | bytearray) -> None:
        if not self._waiting:
            self._due = time.monotonic() + RECEIPTS_WAIT_S
        self._waiting.append(binascii.hexlify(correlation).decode())
        if len(self._waiting) == RECEIPTS_AT_ONCE:
            self._send()

    def until_readable(self) -> None:
        """Send what is due while nothing else is to be done."""
        while self._waiting and not self._ready.poll(max(0.0, self._due - time.monotonic()) * 1000):
            self._send()

    def _send(self) -> None:
        payload = b'{"stored":["' + '","'.join(self._waiting).encode() + b'"]}'
        self._waiting.clear()
        head = wire.publish_head(self._topic, 1, self._properties, len(payload))
        self._broker.socket.sendall(head + payload)


def _take(broker: wire.Connection, answers: _Answers | None, taken: _Taken) -> None:
    data = broker.data
    before_payload = 0
    """How far before the payload the last Correlation Data began."""
    while True:
        if answers:
            answers.until_readable()
        acknowledgements = bytearray()
        for head, start, end in broker.receive():
            if head & 0xF6 != wire.PUBLISH | 2:  # QoS 1, be it a repeat or retained
                continue
            after_topic = start + 2 + (data[start] << 8 | data[start + 1])
            acknowledgements += b"\x40\x02"
            acknowledgements += data[after_topic : after_topic + 2]
            position, length = after_topic + 3, data[after_topic + 2]
            if length > 127:
                length, position = length & 127 | data[position] << 7, position + 1
            payload = position + length
            assert payload < end, "properties longer than two bytes of length"
            taken.add(int.from_bytes(data[payload : payload + load.MARK_BYTES]))
            if not answers:
                continue
            # Mostly it lies as far before the payload as in the last one; no text holds these three bytes.
            at = payload - before_payload
            if data[at - 1 : at + 2] != b"\x09\x00\x0c":
                at = wire.correlation_at(data, position, payload)
                before_payload = payload - at
            if at >= 0:
                answers.add(data[at + 2 : at + 2 + (data[at] << 8 | data[at + 1])])
        if acknowledgements:
            broker.socket.sendall(acknowledgements)
            taken.show()
