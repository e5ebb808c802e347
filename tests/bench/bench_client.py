"""What a message costs in the client alone: our link, which reads and writes in bulk, against plain paho.

Each client is a process of its own at a Mosquitto, at QoS 1, with the attributes of an event.
"""

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import docker
from facefleet.messaging.link import Link
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import AnyUrl

from tests.bench import load
from tests.bench.brokers import BenchBroker, shipped_in_flight
from tests.bench.source import Order, Source
from tests.bench.table import Row
from tests.images import newest_image

WINDOW = 500
DEVICE = "bench-client"
TOPIC = f"{load.PREFIX}/{DEVICE}/{load.CAMERA}"
FULL, SMOKE = (3, 10_000), (1, 500)
"""Rounds, and events of each."""

_processes = multiprocessing.get_context("spawn")
Took = tuple[float, float]
"""Seconds, and seconds of processor time."""
Work = Callable[[int, int, Pipe], Took]


@dataclass
class Found:
    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def run(*, smoke: bool) -> Iterable[Row]:
    """Measure both clients, receiving and publishing."""
    rounds, count = SMOKE if smoke else FULL
    works: dict[str, Work] = {
        "receive": receive_with_link,
        "receive, paho": receive_with_paho,
        "publish": publish_with_link,
        "publish, paho": publish_with_paho,
    }
    found = {name: Found() for name in works}
    engine = docker.from_env()
    with tempfile.TemporaryDirectory() as folder:
        broker = BenchBroker(
            engine, newest_image(engine, "broker"), Path(folder), in_flight=shipped_in_flight()
        )
        with broker:
            for _ in range(rounds):
                for name, work in works.items():
                    one(broker.port, count, work, found[name])
    engine.close()
    for name in ("receive", "publish"):
        ours, theirs = found[name], found[f"{name}, paho"]
        yield Row("client", f"{name} 20 KB", "events/s", ours.rate, theirs.rate, "plain paho")
        yield Row(
            "client", f"processor time, {name} 20 KB", "us/event", ours.cpu_us, theirs.cpu_us, "plain paho"
        )


def one(port: int, count: int, work: Work, found: Found) -> None:
    """Run a client once; it says when it is ready and what it took."""
    pipe, theirs = _processes.Pipe()
    process = _processes.Process(target=_work, args=(work, port, count, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        pipe.recv()
        with Source(Order(port, DEVICE, 0, count)) as source:
            if "receive" in work.__name__:
                source.go()
            pipe.send("go")
            if not pipe.poll(120):
                raise TimeoutError(f"{work.__name__} did not end")
            seconds, cpu_s = pipe.recv()
        process.join(10)
    finally:
        process.kill()
        process.join()
    found.rate.append(count / seconds)
    found.cpu_us.append(cpu_s / count * 1e6)


def _work(work: Work, port: int, count: int, pipe: Pipe) -> None:
    pipe.send(work(port, count, pipe))


class Tally:
    """Counts to a goal, and tells what it took since the go."""

    def __init__(self, count: int, pipe: Pipe) -> None:
        self._left = count
        self._pipe = pipe
        self._done = threading.Event()

    def start(self) -> None:
        self._pipe.send("ready")
        self._pipe.recv()
        self._began, self._cpu = time.monotonic(), time.process_time()

    def add(self) -> None:
        self._left -= 1
        if not self._left:
            self._done.set()

    def finish(self) -> Took:
        """Wait for the goal."""
        self._done.wait(120)
        return time.monotonic() - self._began, time.process_time() - self._cpu


def receive_with_link(port: int, count: int, pipe: Pipe) -> Took:
    tally = Tally(count, pipe)

    def taken(delivery: object) -> None:
        delivery.acknowledge()  # type: ignore[attr-defined]
        tally.add()

    link = Link(
        AnyUrl(f"mqtt://127.0.0.1:{port}"),
        "bench-ours",
        receive_maximum=WINDOW,
        subscriptions=[TOPIC],
        on_message=taken,
    )
    link.start()
    subscribed(lambda: link.connected)
    tally.start()
    return tally.finish()


def receive_with_paho(port: int, count: int, pipe: Pipe) -> Took:
    tally = Tally(count, pipe)
    client = connected_paho(port, lambda _client, _userdata, _message: tally.add())
    client.subscribe(TOPIC, 1)
    subscribed(lambda: True)
    tally.start()
    return tally.finish()


def publish_with_link(port: int, count: int, pipe: Pipe) -> Took:
    tally = Tally(count, pipe)
    room = threading.BoundedSemaphore(WINDOW)
    link = Link(AnyUrl(f"mqtt://127.0.0.1:{port}"), "bench-ours")

    def done(_outcome: object) -> None:
        tally.add()
        room.release()

    link.start()
    subscribed(lambda: link.connected)
    event = load.event(DEVICE, 0, bytes(load.PAYLOAD_BYTES))
    attributes = event.attributes()
    tally.start()
    for _ in range(count):
        room.acquire()
        link.publish(TOPIC, event.image, content_type=event.content_type, properties=attributes, done=done)
    return tally.finish()


def publish_with_paho(port: int, count: int, pipe: Pipe) -> Took:
    tally = Tally(count, pipe)
    room = threading.BoundedSemaphore(WINDOW)
    client = connected_paho(port, lambda *_: None)

    def done(*_: object) -> None:
        tally.add()
        room.release()

    client.on_publish = done
    event = load.event(DEVICE, 0, bytes(load.PAYLOAD_BYTES))
    attributes = event.attributes()
    tally.start()
    for _ in range(count):
        room.acquire()
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = event.content_type
        properties.UserProperty = attributes
        client.publish(TOPIC, event.image, 1, properties=properties)
    return tally.finish()


def connected_paho(port: int, on_message: Callable[..., None]) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, "bench-paho", protocol=paho.MQTTv5)
    client.on_message = on_message
    client.max_inflight_messages_set(WINDOW)
    client.max_queued_messages_set(0)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = WINDOW
    client.connect("127.0.0.1", port, clean_start=True, properties=properties)
    client.loop_start()
    return client


def subscribed(connected: Callable[[], bool]) -> None:
    """Wait until the client is connected, and give the broker time for its subscription."""
    while not connected():
        time.sleep(0.01)
    time.sleep(0.3)
