"""From a face published at the edge broker to its object visible in S3, through the whole chain.

    source -> edge broker -> forwarder (or bridge) -> cloud broker -> processor -> tap -> SeaweedFS

Published is when the source gives the packet to its socket. Visible is when S3's 200 to the put passes the
tap, a proxy before the S3 server: from then on anyone can read the object. Both are the same clock, and
the tap costs both sides the same. At 1/s a round has 15 events: what is called p99 there is the longest.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
from docker import DockerClient

from tests.bench import measure
from tests.bench.bench_forward import BRIDGE_BEST, CACHE
from tests.bench.routes import Bridge, Forwarder, Place, Route, Storage
from tests.bench.source import Source
from tests.bench.table import Row
from tests.bench.tap import Tap
from tests.images import newest_image
from tests.integration.containers import BUCKETS, S3Server, succeeds

BRIDGE = "bridge"


@dataclass(frozen=True, slots=True)
class Scale:
    """Events of each rate (events a second), and how often all is repeated."""

    rounds: int
    counts: dict[int, int]


FULL = Scale(rounds=3, counts={1: 15, 50: 500, 200: 1600})
SMOKE = Scale(rounds=1, counts={50: 50, 200: 100})


@dataclass
class Found:
    """Samples of one route at one rate, one a round."""

    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    carrier_us: list[float] = field(default_factory=list)
    both_us: list[float] = field(default_factory=list)
    processor_us: list[float] = field(default_factory=list)


def run(*, smoke: bool) -> Iterable[Row]:
    """Measure all; takes about four minutes."""
    scale = SMOKE if smoke else FULL
    CACHE.mkdir(exist_ok=True)
    engine = docker.from_env()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-", dir=CACHE) as name,
            s3_server(engine, Path(name)) as (
                storage,
                tap,
            ),
        ):
            place = Place(engine, Path(name))
            with (
                Bridge(place, "latency-bridge", in_flight=BRIDGE_BEST, storage=storage) as bridge,
                Forwarder(place, "latency", storage=storage) as forwarder,
            ):
                yield from _compare(bridge, forwarder, tap, scale)
    finally:
        engine.close()


@contextlib.contextmanager
def s3_server(engine: DockerClient, folder: Path) -> Iterator[tuple[Storage, Tap]]:
    """Start an S3 server and a tap before it, which reaches it without Docker's own proxy."""
    server = S3Server(engine, newest_image(engine, "s3"), folder / "s3")
    try:
        server.start()
        admin = server.client("admin")
        succeeds(lambda: admin.create_bucket(Bucket=BUCKETS[0]), 60)
        server.await_put(BUCKETS[0], 60)
        admin.close()
        server._container.reload()
        address = server._container.attrs["NetworkSettings"]["IPAddress"]
        target = (address, server.PORT) if address else ("127.0.0.1", server.port)
        with Tap(target) as tap:
            yield Storage(tap.url, BUCKETS[0], server.credentials("processor")), tap
    finally:
        server.remove()


def _compare(bridge: Bridge, forwarder: Forwarder, tap: Tap, scale: Scale) -> Iterator[Row]:
    routes: tuple[Route, Route] = (bridge, forwarder)
    for route in routes:
        _round(route, tap, 50, 100, Found())  # connections are made, code is loaded
    found = {(route.name, rate): Found() for route in routes for rate in scale.counts}
    for _ in range(scale.rounds):
        for rate, count in scale.counts.items():
            for route in routes:
                _round(route, tap, rate, count, found[route.name, rate])
    for rate in scale.counts:
        ours, theirs = found[forwarder.name, rate], found[bridge.name, rate]
        yield Row("latency", f"p50 at {rate}/s", "ms", ours.p50_ms, theirs.p50_ms, BRIDGE)
        yield Row("latency", f"p99 at {rate}/s", "ms", ours.p99_ms, theirs.p99_ms, BRIDGE)
    for rate in scale.counts:
        if rate == 1:  # all of it is the ticks of idle processes
            continue
        ours, theirs = found[forwarder.name, rate], found[bridge.name, rate]
        yield Row("processor time", f"forwarder at {rate}/s", "us/event", ours.carrier_us)
        what = f"forwarder and its edge broker at {rate}/s"
        yield Row("processor time", what, "us/event", ours.both_us, theirs.both_us, BRIDGE)
        yield Row("processor time", f"processor at {rate}/s", "us/event", ours.processor_us)


def _round(route: Route, tap: Tap, rate: int, count: int, found: Found) -> None:
    """Send at a pace, and wait until all is visible."""
    tap.forget()
    pids = (route.pid, route.edge.pid, route.processor.pid)
    with Source(route.order(count, answered=True, rate=rate, pictures=True)) as source:
        before = [measure.cpu_s(pid) for pid in pids]
        source.go()
        sent = source.result(count / rate + 60)
    deadline = time.monotonic() + 60
    while len(stamps := tap.stamps()) < count:
        if time.monotonic() > deadline:
            raise measure.TooSlowError(f"{route.name} at {rate}/s: {len(stamps)} of {count} are visible")
        time.sleep(0.05)
    carrier, edge, processor = (
        (measure.cpu_s(pid) - used) / count * 1e6 for pid, used in zip(pids, before, strict=True)
    )
    took = sorted((stamps[number] - published) * 1000 for number, published in sent.published.items())
    found.p50_ms.append(took[len(took) // 2])
    found.p99_ms.append(took[min(len(took) - 1, len(took) * 99 // 100)])
    found.carrier_us.append(carrier)
    found.both_us.append(edge if route.pid == route.edge.pid else carrier + edge)
    found.processor_us.append(processor)
