"""One edge: a broker with a camera, a forwarder, and who stands where the processor does."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Link, Outcome
from facefleet.messaging.receipts import Answer, Receipts

from tests.conftest import MakeEvent
from tests.integration.containers import Broker
from tests.integration.services import Service
from tests.integration.waiting import await_until

if TYPE_CHECKING:
    from tests.integration.conftest import MakeLink, MakeService

MIB = 1024 * 1024


class Camera:
    """Publishes events as a detector does, and knows what became of each."""

    def __init__(self, link: Link, prefix: str) -> None:
        await_until(lambda: link.connected, 15, "the camera is connected")
        self._link = link
        self._prefix = prefix

    def publish(self, *events: FaceEvent, **changes: Any) -> list[Outcome]:
        """Publish events with other properties, content types or payloads; return what became of them."""
        outcomes: list[Outcome] = []
        for event in events:
            parts: dict[str, Any] = {
                "topic": topics.faces(self._prefix, event.device, event.camera),
                "payload": event.image,
                "content_type": event.content_type,
                "properties": event.attributes(),
                "done": outcomes.append,
            }
            self._link.publish(**parts | changes)
        await_until(lambda: len(outcomes) == len(events), 30, "the broker has it")
        return outcomes


class Taker:
    """Stands where the processor does: takes messages and, if told to, gives receipts."""

    def __init__(self, site: "Site", cloud: Broker, answer: Answer | None = Answer.STORED) -> None:
        self.answer = answer
        self.deliveries: list[Delivery] = []
        self.link = site.make_link(
            cloud.port,
            receive_maximum=200,
            qos=site.qos,
            subscriptions=[topics.shared("processors", topics.all_faces(site.device))],
            on_message=self.take,
        )
        self.receipts = Receipts(self.link)
        await_until(lambda: self.link.connected, 15, "the taker is connected")

    def take(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        delivery.acknowledge()
        if self.answer:
            self.give(delivery, self.answer)

    def give(self, delivery: Delivery, answer: Answer) -> None:
        device, _ = topics.sender(delivery.topic)
        self.receipts.add(topics.receipts(device), answer, delivery.correlation or b"")

    @property
    def ids(self) -> list[str]:
        return [dict(delivery.properties)["id"] for delivery in self.deliveries]

    def await_all(self, events: list[FaceEvent], timeout: float = 40) -> None:
        wanted = {event.id for event in events}
        await_until(lambda: wanted <= set(self.ids), timeout, f"all of {len(wanted)} arrive")
        assert set(self.ids) == wanted


@dataclass
class Site:
    """An edge broker with a camera, and a forwarder to the cloud broker of the test."""

    edge: Broker
    device: str
    folder: Path
    make_service: "MakeService"
    make_link: "MakeLink"
    make_event: MakeEvent
    qos: Any = 1
    states: Iterator[int] = field(default_factory=itertools.count)

    def camera(self, **options: Any) -> Camera:
        return Camera(self.make_link(self.edge.port, qos=self.qos, **options), self.device)

    def forwarder(self, cloud: Broker, **settings: object) -> Service:
        """Start a forwarder and wait until it has subscribed."""
        given = {
            "broker": self.edge.url,
            "cloud_broker": cloud.url,
            "device": self.device,
            "topic_prefix": self.device,
            "state_dir": self.folder / f"state-{next(self.states)}",
            "receipt_timeout_s": 1,
            "retry_most_s": 2,
            "qos": self.qos,
        } | settings
        service = self.make_service(
            "forwarder", {f"FACEFLEET_{name.upper()}": str(value) for name, value in given.items()}
        )
        await_until(lambda: service.lines("connected", self.edge.url), 20, "it is at the edge broker")
        # That it is connected does not say that it has subscribed: its status does.
        return service

    def events(self, number: int, **changes: Any) -> list[FaceEvent]:
        return [self.make_event(device=self.device, **changes) for _ in range(number)]

    def publish(self, camera: Camera, *events: FaceEvent, **changes: Any) -> None:
        """Publish until the edge broker has somebody who wants it."""
        for event in events:
            await_until(
                lambda event=event: camera.publish(event, **changes) == [Outcome.ACCEPTED],  # type: ignore[misc]
                15,
                "the forwarder has subscribed",
            )


def accounts(service: Service) -> dict[str, float]:
    names = ("taken", "handed_on", "rejected", "given_up", "damaged")
    counts = {name: service.metric(f"facefleet_events_{name}_total") for name in names}
    return {**counts, "held": service.metric("facefleet_events_held")}
