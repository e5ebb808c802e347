"""The forwarder against a Mosquitto bridge, which keeps nothing on disk: online, draining, far away."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import docker

from tests.bench import measure
from tests.bench.brokers import MOSQUITTO_DEFAULT, NO_LIMIT
from tests.bench.delay import Delay
from tests.bench.disk import own_disk
from tests.bench.load import PAYLOAD_BYTES
from tests.bench.routes import Bridge, Forwarder, Place, Route
from tests.bench.sink import Sink
from tests.bench.source import Order, Source
from tests.bench.table import Row, Target
from tests.integration.waiting import await_until

ONE_WAY_S = 0.025
SLOW = 50
"""Events a second that come one by one."""
FAR_WINDOW = 2000
"""Of the source, when it publishes over the delayed wire itself."""
BRIDGE_BEST = 2000
"""`max_inflight_messages` with which the bridge was fastest, of 20, 100, 500, 2000 and 20000."""
CACHE = Path(__file__).resolve().parents[2] / ".cache"


@dataclass(frozen=True, slots=True)
class Scale:
    """Events of each part, and how often each is repeated."""

    rounds: int
    online_rounds: int
    """More of these: they are short, and no two are alike."""
    online: int
    backlog: int
    slow: int
    """Of those that come one by one."""
    far: int
    far_default: int
    """Of the default bridge, which is that much slower."""


FULL = Scale(
    rounds=3, online_rounds=7, online=30_000, backlog=20_000, slow=500, far=10_000, far_default=2_000
)
SMOKE = Scale(rounds=1, online_rounds=1, online=1_000, backlog=2_000, slow=50, far=1_000, far_default=200)


@dataclass
class Found:
    """Samples, one a round, of one route."""

    rate: list[float] = field(default_factory=list)
    carrier_us: list[float] = field(default_factory=list)
    """Processor time of the process that carries, in microseconds an event."""
    both_us: list[float] = field(default_factory=list)
    """The same with the edge broker's, which a bridge is part of."""
    memory_mb: list[float] = field(default_factory=list)
    """The most while a backlog grew and shrank."""
    device: list[float] = field(default_factory=list)
    """Bytes that reached the disk, for each byte of payload."""


def run(*, smoke: bool) -> Iterable[Row]:
    """Measure all; takes about six minutes, a smoke run half of one."""
    scale = SMOKE if smoke else FULL
    CACHE.mkdir(exist_ok=True)
    engine = docker.from_env()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=CACHE) as folder:
            place = Place(engine, Path(folder))
            yield from harness(place, scale)
            yield from online(place, scale)
            yield from backlog(place, scale)
            yield from disk(place, scale)
            if not smoke:  # the harness part has the delayed wire, too
                yield from far(place, scale)
    finally:
        engine.close()


def harness(place: Place, scale: Scale) -> Iterator[Row]:
    """How fast source and sink are with one broker between them, and what the delayed wire takes."""
    plain: list[float] = []
    answering: list[float] = []
    delayed: list[float] = []
    device, device_answering = "bench-plain", "bench-answering"
    with (
        place.broker(place.folder / "plain", in_flight=NO_LIMIT) as broker,
        Delay(broker.port, ONE_WAY_S) as wire,
        Sink(broker.port, device, answers=False) as sink,
        Sink(broker.port, device_answering, answers=True) as sink_answering,
    ):
        await_until(lambda: sink.counts.connections, 20, "the sink is there")
        await_until(lambda: sink_answering.counts.connections, 20, "the answering sink is there")
        count = scale.online
        for number in range(scale.rounds):
            order = Order(broker.port, device, 2 * number * count, count)
            plain.append(_carried(sink, order))
            far_order = replace(order, port=wire.port, first=order.first + count, window=FAR_WINDOW)
            delayed.append(_carried(sink, far_order))
            answering.append(_carried(sink_answering, replace(order, device=device_answering, answered=True)))
        took = broker.round_trip_s(wire.port) * 1000
    yield Row("harness", "source, one broker, sink", "events/s", plain)
    yield Row("harness", "the same with receipts", "events/s", answering)
    yield Row("harness", "the same through the delayed wire", "events/s", delayed)
    yield Row("harness", "round trip of the delayed wire", "ms", [took])


def _carried(sink: Sink, order: Order) -> float:
    """Send an order and return the rate at which the sink got it."""
    goal = sink.counts.distinct + order.count
    with Source(order, sink.counts) as source:
        source.go()
        return measure.watch(lambda: sink.counts.distinct, goal, 120, order.device).rate()


def online(place: Place, scale: Scale) -> Iterator[Row]:
    """Sustained rate with a bounded number of events on their way."""
    default, best, plain, answered = Found(), Found(), Found(), Found()
    with (
        Bridge(place, "online-default", in_flight=MOSQUITTO_DEFAULT) as bridge_default,
        Bridge(place, "online-best", in_flight=BRIDGE_BEST) as bridge_best,
        Forwarder(place, "online") as forwarder,
    ):
        for _ in range(scale.online_rounds):
            carry(bridge_default, scale.online, default)
            carry(bridge_best, scale.online, best)
            carry(forwarder, scale.online, plain)
            carry(forwarder, scale.online, answered, answered=True)
        repeats = forwarder.sink.counts.repeats
    half = Target("at least", 0.5)
    yield Row("online", "forwarder", "events/s", plain.rate, best.rate, "best bridge", half)
    yield Row("online", "forwarder that answers", "events/s", answered.rate, best.rate, "best bridge", half)
    yield Row("online", "forwarder", "events/s", plain.rate, default.rate, "default bridge")
    yield Row("online", "processor time, forwarder", "us/event", plain.carrier_us)
    yield Row("online", "processor time, forwarder that answers", "us/event", answered.carrier_us)
    against = "the edge broker that bridges"
    yield Row("online", "the same with its edge broker", "us/event", plain.both_us, best.both_us, against)
    yield Row("online", "sent twice", "events", [repeats])


def carry(route: Route, count: int, found: Found, *, answered: bool = False) -> None:
    """One round online."""
    counts = route.sink.counts
    goal = counts.distinct + count
    with Source(route.order(count, answered=answered), counts) as source:
        used, edge_used = measure.cpu_s(route.pid), measure.cpu_s(route.edge.pid)
        source.go()
        found.rate.append(measure.watch(lambda: counts.distinct, goal, 120, route.name).rate())
        source.result()
        route.settle()
    carrier = (measure.cpu_s(route.pid) - used) / count * 1e6
    edge = (measure.cpu_s(route.edge.pid) - edge_used) / count * 1e6
    found.carrier_us.append(carrier)
    found.both_us.append(edge if route.pid == route.edge.pid else carrier + edge)


def backlog(place: Place, scale: Scale) -> Iterator[Row]:
    """A backlog that grows while the cloud broker is down, and is drained."""
    default, best, ours = Found(), Found(), Found()
    with (
        Bridge(place, "drain-default", in_flight=MOSQUITTO_DEFAULT) as bridge_default,
        Bridge(place, "drain-best", in_flight=BRIDGE_BEST) as bridge_best,
        Forwarder(place, "drain") as forwarder,
    ):
        for _ in range(scale.rounds):
            drain(bridge_default, scale.backlog, default)
            drain(bridge_best, scale.backlog, best)
            drain(forwarder, scale.backlog, ours)
        repeats = forwarder.sink.counts.repeats
    target = Target("at least", 0.6)
    held = f"{scale.backlog * PAYLOAD_BYTES / 1e6:.0f} MB held"
    yield Row("drain", f"{scale.backlog} events", "events/s", ours.rate, best.rate, "best bridge", target)
    yield Row("drain", f"{scale.backlog} events", "events/s", ours.rate, default.rate, "default bridge")
    yield Row("drain", "processor time, forwarder", "us/event", ours.carrier_us)
    yield Row(
        "drain",
        f"most memory, {held}",
        "MB",
        ours.memory_mb,
        target=Target("at most", 64),
    )
    yield Row("drain", f"most memory of the bridge, {held}", "MB", best.memory_mb)
    yield Row("drain", "sent twice", "events", [repeats])


def far(place: Place, scale: Scale) -> Iterator[Row]:
    """The same drain over a wire of 50 ms there and back."""
    default, best, ours = Found(), Found(), Found()
    with (
        Bridge(place, "far-default", in_flight=MOSQUITTO_DEFAULT, delay_s=ONE_WAY_S) as bridge_default,
        Bridge(place, "far-best", in_flight=BRIDGE_BEST, delay_s=ONE_WAY_S) as bridge_best,
        Forwarder(place, "far", delay_s=ONE_WAY_S) as forwarder,
    ):
        for _ in range(scale.rounds):
            drain(bridge_default, scale.far_default, default)
            drain(bridge_best, scale.far, best)
            drain(forwarder, scale.far, ours)
        repeats = forwarder.sink.counts.repeats
    target = Target("at least", 8)
    yield Row("50 ms", "drain", "events/s", ours.rate, default.rate, "default bridge", target)
    yield Row("50 ms", "drain", "events/s", ours.rate, best.rate, "best bridge")
    yield Row("50 ms", "sent twice", "events", [repeats])


def drain(route: Route, count: int, found: Found) -> None:
    """One round: the cloud broker goes, a backlog grows, the broker comes back."""
    counts = route.sink.counts
    goal = counts.distinct + count
    memory = [measure.resident_mb(route.pid)]

    def look() -> None:
        memory.append(measure.resident_mb(route.pid))

    with Source(route.order(count)) as source:
        route.cloud.stop()
        source.go()
        source.result()
    if route.held() is not None:
        measure.watch(lambda: route.held() or 0, count, 120, f"{route.name}: backlog", look)
    used = measure.cpu_s(route.pid)
    look()
    route.cloud.start_soon()
    timeline = measure.watch(lambda: counts.distinct, goal, 180, f"{route.name}: drain", look)
    route.settle()
    found.rate.append(timeline.rate())
    found.memory_mb.append(max(memory))
    found.carrier_us.append((measure.cpu_s(route.pid) - used) / count * 1e6)


def disk(place: Place, scale: Scale) -> Iterator[Row]:
    """What flash has to bear: bytes that reach the device for each byte of payload."""
    full, kept, slow = Found(), Found(), Found()
    with (
        own_disk(place.folder / "own") as (state, alone),
        Forwarder(place, "disk", state=state) as forwarder,
    ):
        for _ in range(scale.rounds):
            with written(forwarder, scale.online, full):
                carry(forwarder, scale.online, full)
            with written(forwarder, scale.backlog, kept):
                drain(forwarder, scale.backlog, kept)
            with written(forwarder, scale.slow, slow):
                trickle(forwarder, scale.slow)
    if not full.device:
        return
    unit = "bytes/byte"
    note = "" if alone else ", others' included"
    target = Target("at most", 1.1)
    yield Row("disk", f"written online at full speed{note}", unit, full.device, target=target)
    yield Row("disk", f"written for a backlog{note}", unit, kept.device, target=target)
    yield Row("disk", f"written at {SLOW}/s, one event a write{note}", unit, slow.device)


def trickle(route: Route, count: int) -> None:
    """Send few events a second: each is written alone."""
    goal = route.sink.counts.distinct + count
    with Source(route.order(count, rate=SLOW)) as source:
        source.go()
        source.result()
    measure.watch(lambda: route.sink.counts.distinct, goal, 60, route.name)
    route.settle()


@contextlib.contextmanager
def written(forwarder: Forwarder, count: int, found: Found) -> Iterator[None]:
    """Note what reaches the device of the spool meanwhile, if it has one."""
    os.sync()
    before = measure.device_bytes(forwarder.state)
    yield
    os.sync()
    after = measure.device_bytes(forwarder.state)
    if before is not None and after is not None:
        found.device.append((after - before) / (count * PAYLOAD_BYTES))
