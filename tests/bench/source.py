"""The source: a process that publishes events to an edge broker at QoS 1, as fast as it may or at a pace."""

import itertools
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Self

from tests.bench import load, wire
from tests.bench.sink import Counts

AHEAD = 1000
"""Events on their way to the sink, at most, when the source follows it: enough to keep all busy."""
AT_ONCE = 50

MakePacket = Callable[[int, int], bytes]
"""Makes a packet of an event's number and a packet id."""

_processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Order:
    """What to send."""

    port: int
    device: str
    first: int
    """Number of the first event."""
    count: int
    answered: bool = False
    """With Response Topic and Correlation Data, as our detector asks for an answer."""
    rate: float = 0
    """Events a second; 0 for as fast as may be."""
    pictures: bool = False
    """Sound pictures, for a processor; only at a rate."""
    window: int = 100
    """Publications that the broker has not acknowledged yet, at most."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of an order, on the monotonic clock."""

    began: float
    acknowledged: float
    published: dict[int, float]
    """When each event was published, by number; only when there was a pace."""
    unrouted: int
    """Acknowledged by a broker that nobody had subscribed at."""


class Source:
    """One order in a process of its own, ready to start: `go`, then `result`."""

    def __init__(self, order: Order, follow: Counts | None = None) -> None:
        self._pipe, theirs = _processes.Pipe()
        self._process = _processes.Process(target=_run, args=(order, follow, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    def go(self) -> None:
        self._pipe.send(None)

    def result(self, timeout_s: float = 300) -> Sent:
        """Wait until the broker has acknowledged all."""
        if not self._pipe.poll(timeout_s):
            raise TimeoutError(f"the source did not end within {timeout_s:g} s")
        sent: Sent = self._pipe.recv()
        return sent


def _run(order: Order, follow: Counts | None, pipe: Pipe) -> None:
    with wire.Connection(order.port, f"{order.device}-source") as broker:
        if order.answered:
            broker.subscribe(f"receipts/{order.device}/+", 0)
        slots = [load.Slot(order.device, answered=order.answered) for _ in range(AT_ONCE)]
        make = _pictures(order) if order.pictures else _events(slots)
        pipe.send("ready")
        pipe.recv()
        if order.rate:
            pipe.send(_paced(broker, order, make))
        else:
            pipe.send(_at_full_speed(broker, order, slots, follow))


def _events(slots: list[load.Slot]) -> MakePacket:
    return lambda number, packet_id: b"".join(slots[number % len(slots)].filled(number, packet_id))


def _pictures(order: Order) -> MakePacket:
    pictures = load.Pictures()
    return lambda number, packet_id: load.picture_packet(
        order.device, number, packet_id, pictures.picture(number)
    )


def _at_full_speed(
    broker: wire.Connection, order: Order, slots: list[load.Slot], follow: Counts | None
) -> Sent:
    began = time.monotonic()
    before = follow.distinct if follow else 0
    packet_ids = itertools.cycle(range(1, 65536))
    sent = acknowledged = unrouted = 0
    while acknowledged < order.count:
        most = min(order.count, acknowledged + order.window, sent + AT_ONCE)
        if follow:
            most = min(most, follow.distinct - before + AHEAD)
        if most > sent:
            pieces: list[bytes | bytearray] = []
            size = 0
            for slot, number in zip(slots, range(sent, most), strict=False):
                packet = slot.filled(order.first + number, next(packet_ids))
                size += len(packet[0]) + len(packet[1])
                pieces += packet
            if broker.socket.sendmsg(pieces) != size:
                raise wire.WireError("a blocking socket took a part only")
            sent = most
        elif sent > acknowledged:
            some, nowhere = _acknowledgements(broker)
            acknowledged += some
            unrouted += nowhere
        else:
            time.sleep(0.0005)  # the sink is what it waits for
    return Sent(began, time.monotonic(), {}, unrouted)


def _paced(broker: wire.Connection, order: Order, make: MakePacket) -> Sent:
    """Send each event at its time; the next is made before."""
    published = {}
    acknowledged = unrouted = 0
    began = time.monotonic()
    for index in range(order.count):
        number = order.first + index
        packet = make(number, index % 65535 + 1)
        if (early := began + index / order.rate - time.monotonic()) > 0:
            time.sleep(early)
        published[number] = time.monotonic()
        broker.socket.sendall(packet)
        while index - acknowledged >= order.window:
            some, nowhere = _acknowledgements(broker)
            acknowledged += some
            unrouted += nowhere
    while acknowledged < order.count:
        some, nowhere = _acknowledgements(broker)
        acknowledged += some
        unrouted += nowhere
    return Sent(began, time.monotonic(), published, unrouted)


def _acknowledgements(broker: wire.Connection) -> tuple[int, int]:
    """Wait for bytes; return how many PUBACKs came, and how many of them said that nobody has subscribed."""
    some = nowhere = 0
    for head, start, end in broker.receive():
        if head == wire.PUBACK:
            some += 1
            if end - start > 2 and (reason := broker.data[start + 2]):
                if reason != wire.NO_MATCHING_SUBSCRIBERS:
                    raise wire.WireError(f"PUBACK with reason {reason:#x}")
                nowhere += 1
    return some, nowhere
