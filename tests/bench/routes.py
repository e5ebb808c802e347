"""Two ways from an edge broker to a taker behind a cloud broker: our forwarder, and Mosquitto's own bridge.

    source -> edge broker -> forwarder -> cloud broker -> sink      the sink answers with receipts
    source -> edge broker  ...bridge...  -> cloud broker -> sink      no receipts

With `storage` the taker is the real processor. All run on this host's loopback. `delay_s` puts a wire of that
length, each way, before the cloud broker.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from docker import DockerClient

from tests.bench.brokers import NO_LIMIT, BenchBroker, shipped_in_flight
from tests.bench.delay import Delay
from tests.bench.shipped import Shipped
from tests.bench.sink import Sink
from tests.bench.source import Order, Source
from tests.images import newest_image
from tests.integration.waiting import await_until


class Place:
    """Where routes are made: an engine, the project's newest images, a folder on a real disk."""

    def __init__(self, engine: DockerClient, folder: Path) -> None:
        self._engine = engine
        self.folder = folder

    def broker(
        self, folder: Path, *, in_flight: int, keeps: bool = False, bridge_to: int | None = None
    ) -> BenchBroker:
        image = newest_image(self._engine, "broker")
        return BenchBroker(self._engine, image, folder, in_flight=in_flight, keeps=keeps, bridge_to=bridge_to)

    def service(
        self,
        name: str,
        folders: Sequence[Path],
        settings: dict[str, str],
        *,
        command: Sequence[str] = (),
        also: Sequence[Path] = (),
    ) -> Shipped:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        image = newest_image(self._engine, name)
        return Shipped(self._engine, image, name, folders, settings, command=command, also=also)


@dataclass(frozen=True, slots=True)
class Storage:
    """An S3 server's bucket and the key to it."""

    url: str
    bucket: str
    credentials: Path


class Route:
    """Both brokers and the taker; what carries events between them, a subclass says."""

    answers = False
    """Whether the sink sends receipts."""
    cloud_in_flight = NO_LIMIT

    def __init__(
        self,
        place: Place,
        name: str,
        *,
        edge_in_flight: int,
        delay_s: float = 0,
        storage: Storage | None = None,
    ) -> None:
        self.name = name
        self.device = f"bench-{name}"
        self.folder = place.folder / name
        self._place = place
        self._edge_in_flight = edge_in_flight
        self._delay_s = delay_s
        self._storage = storage
        self._next = 0
        self._stack = contextlib.ExitStack()
        self.edge: BenchBroker
        self.cloud: BenchBroker
        self.sink: Sink
        self.processor: Shipped

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(None, None, None)

    def _open(self, stack: contextlib.ExitStack) -> None:
        place = self._place
        self.cloud = stack.enter_context(
            place.broker(self.folder / "cloud", in_flight=self.cloud_in_flight, keeps=True)
        )
        self.cloud_port = self.cloud.port
        if self._delay_s:
            self.cloud_port = stack.enter_context(Delay(self.cloud.port, self._delay_s)).port
        if self._storage:
            self.processor = stack.enter_context(self._stored(self._storage))
            self._open_edge(stack)
        else:
            self.sink = stack.enter_context(Sink(self.cloud.port, self.device, answers=self.answers))
            await_until(lambda: self.sink.counts.connections, 20, "the sink is connected")
            self._open_edge(stack)
            self.warm()

    def _stored(self, storage: Storage) -> Shipped:
        """Return a processor with its defaults behind the cloud broker."""
        settings = {
            "AWS_SHARED_CREDENTIALS_FILE": str(storage.credentials),
            "FACEFLEET_BROKER": self.cloud.url,
            "FACEFLEET_BUCKET": storage.bucket,
            "FACEFLEET_S3_ENDPOINT": storage.url,
        }
        return self._place.service(
            "processor", [self.folder / "processor"], settings, also=[storage.credentials]
        )

    def _open_edge(self, stack: contextlib.ExitStack) -> None:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The process that carries."""
        raise NotImplementedError

    def held(self) -> int | None:
        """Return how many events are not handed on yet; None when the carrier cannot say."""
        return None

    def order(self, count: int, *, answered: bool = False, rate: float = 0, pictures: bool = False) -> Order:
        """Return an order of new events."""
        first, self._next = self._next, self._next + count
        return Order(
            self.edge.port, self.device, first, count, answered=answered, rate=rate, pictures=pictures
        )

    def warm(self, count: int = 200) -> None:
        """Send a few events the whole way: connections are made, code is loaded."""
        goal = self.sink.counts.distinct + count
        with Source(self.order(count)) as source:
            source.go()
            source.result(60)
        await_until(lambda: self.sink.counts.distinct >= goal, 60, f"{self.name} carries; {self.log()}")

    def settle(self) -> None:
        """Wait until nothing is held any more."""
        await_until(lambda: not self.held(), 60, f"{self.name} holds nothing")

    def log(self) -> str:
        return self.edge.log() + self.cloud.log()


class Bridge(Route):
    """The edge broker carries itself: `in_flight` is its `max_inflight_messages`."""

    def __init__(
        self,
        place: Place,
        name: str,
        *,
        in_flight: int,
        delay_s: float = 0,
        storage: Storage | None = None,
    ) -> None:
        super().__init__(place, name, edge_in_flight=in_flight, delay_s=delay_s, storage=storage)

    def _open_edge(self, stack: contextlib.ExitStack) -> None:
        self.edge = stack.enter_context(
            self._place.broker(
                self.folder / "edge", in_flight=self._edge_in_flight, bridge_to=self.cloud_port
            )
        )

    @property
    def pid(self) -> int:
        return self.edge.pid


class Forwarder(Route):
    """Our service; the brokers have the stacks' `max_inflight_messages`."""

    answers = True

    def __init__(
        self,
        place: Place,
        name: str,
        *,
        delay_s: float = 0,
        storage: Storage | None = None,
        state: Path | None = None,
        settings: dict[str, str] | None = None,
        command: Sequence[str] = (),
        also: Sequence[Path] = (),
    ) -> None:
        self.cloud_in_flight = shipped_in_flight()
        super().__init__(place, name, edge_in_flight=self.cloud_in_flight, delay_s=delay_s, storage=storage)
        self.state = state or self.folder / "state"
        """Where the spool lies."""
        self._settings = settings or {}
        self._command = command
        self._also = also
        self.service: Shipped

    def _open_edge(self, stack: contextlib.ExitStack) -> None:
        self.edge = stack.enter_context(
            self._place.broker(self.folder / "edge", in_flight=self._edge_in_flight)
        )
        settings = {
            "FACEFLEET_BROKER": self.edge.url,
            "FACEFLEET_CLOUD_BROKER": f"mqtt://127.0.0.1:{self.cloud_port}",
            "FACEFLEET_DEVICE": self.device,
            "FACEFLEET_STATE_DIR": str(self.state),
            **self._settings,
        }
        self.service = stack.enter_context(
            self._place.service(
                "forwarder",
                [self.folder / "forwarder", self.state],
                settings,
                command=self._command,
                also=self._also,
            )
        )

    @property
    def pid(self) -> int:
        return self.service.pid

    def held(self) -> int:
        return self.service.count("facefleet_events_held")

    def log(self) -> str:
        return super().log() + self.service.log()
