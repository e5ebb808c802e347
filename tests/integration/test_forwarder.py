"""The forwarder between two real brokers."""

from dataclasses import dataclass

import pytest
from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent, parse
from facefleet.messaging.link import SESSION_FOR_EVER_S, Delivery, Outcome

from tests.conftest import MakeEvent
from tests.integration.conftest import Camera, MakeBroker, MakeLink, MakeService
from tests.integration.containers import Broker
from tests.integration.services import Service
from tests.integration.waiting import await_until


@dataclass
class Site:
    """An edge broker with a camera, and a forwarder to the cloud broker of the test."""

    edge: Broker
    device: str
    make_service: MakeService
    make_link: MakeLink
    make_event: MakeEvent

    def __post_init__(self) -> None:
        """Put up the camera."""
        self.camera = Camera(self.make_link(self.edge.port), self.device)

    def forwarder(self, cloud: Broker) -> Service:
        """Start a forwarder and wait until it has subscribed."""
        service = self.make_service(
            "forwarder",
            {
                "FACEFLEET_BROKER": self.edge.url,
                "FACEFLEET_CLOUD_BROKER": cloud.url,
                "FACEFLEET_DEVICE": self.device,
                "FACEFLEET_TOPIC_PREFIX": self.device,
                "FACEFLEET_RETRY_S": "0.5",
            },
        )
        await_until(lambda: service.lines("connected", self.edge.url), 20, "it is at the edge broker")
        return service

    def processor(self, cloud: Broker) -> "Processor":
        """Take the processor's place at the cloud broker."""
        return Processor(self, cloud)

    def events(self, number: int) -> list[FaceEvent]:
        return [self.make_event(device=self.device) for _ in range(number)]


class Processor:
    """Acknowledges each message and keeps what it said."""

    def __init__(self, site: Site, cloud: Broker) -> None:
        self.deliveries: list[Delivery] = []
        states: list[bool] = []
        self.link = site.make_link(
            cloud.port,
            f"{site.device}-processor",
            session_expiry_s=SESSION_FOR_EVER_S,
            subscriptions=[topics.all_faces(site.device)],
            on_message=self.take,
            on_state=lambda connected, _: states.append(connected),
        )
        await_until(lambda: True in states, 15, "the processor is connected")

    def take(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        delivery.acknowledge()

    def ids(self) -> set[str]:
        return {dict(delivery.properties)["id"] for delivery in self.deliveries}

    def await_all(self, events: list[FaceEvent], timeout: float = 40) -> None:
        wanted = {event.id for event in events}
        await_until(lambda: wanted <= self.ids(), timeout, f"all of {len(wanted)} arrive")
        assert self.ids() == wanted


@pytest.fixture
def site(
    broker: Broker, device: str, make_service: MakeService, make_link: MakeLink, make_event: MakeEvent
) -> Site:
    return Site(broker, device, make_service, make_link, make_event)


@pytest.fixture
def cloud(make_broker: MakeBroker) -> Broker:
    """A cloud broker of the test's own."""
    own = make_broker()
    own.start()
    return own


def test_a_message_arrives_as_it_was_sent(site: Site, cloud: Broker) -> None:
    processor = site.processor(cloud)
    forwarder = site.forwarder(cloud)
    forwarder.await_healthy()
    (event,) = site.events(1)
    assert site.camera.publish(event) == [Outcome.ACCEPTED]
    processor.await_all([event])
    (delivery,) = processor.deliveries
    sender = topics.sender(delivery.topic)
    assert parse(sender, delivery.content_type, delivery.properties, delivery.payload) == event


def test_a_message_that_nobody_takes_is_kept_until_somebody_does(site: Site, cloud: Broker) -> None:
    forwarder = site.forwarder(cloud)
    forwarder.await_healthy()
    events = site.events(3)
    site.camera.publish(*events)
    await_until(
        lambda: len(forwarder.lines("did not take a message", "outcome=unrouted")) > len(events),
        20,
        "it is tried again",
    )
    assert forwarder.metric("facefleet_messages_held") == 3
    site.processor(cloud).await_all(events)
    await_until(lambda: forwarder.metric("facefleet_messages_held") == 0, 10, "it holds nothing")
    assert forwarder.metric("facefleet_messages_forwarded_total") == 3


def test_a_cloud_broker_that_stops_and_starts_gets_all(site: Site, cloud: Broker) -> None:
    processor = site.processor(cloud)
    forwarder = site.forwarder(cloud)
    events = site.events(100)
    site.camera.publish(*events[:30])
    await_until(lambda: processor.deliveries, 20, "the first arrives")
    cloud.stop()
    site.camera.publish(*events[30:70])
    await_until(lambda: "cloud_broker" in " ".join(forwarder.problems()), 10, "the health file says so")
    cloud.start()
    site.camera.publish(*events[70:])
    processor.await_all(events)
    forwarder.await_healthy()


def test_a_forwarder_that_is_killed_in_mid_stream_loses_nothing(site: Site, cloud: Broker) -> None:
    """Each time it holds a whole window that the cloud broker has not answered."""
    processor = site.processor(cloud)
    forwarder = site.forwarder(cloud)
    events = site.events(200)
    for begin in range(0, 200, 50):
        cloud.pause()
        try:
            site.camera.publish(*events[begin : begin + 50])
            await_until(lambda: forwarder.metric("facefleet_messages_held") == 20, 15, "its window is full")
            forwarder.kill()
        finally:
            cloud.unpause()
        forwarder.start()
        forwarder.await_healthy()
    processor.await_all(events)
    assert all(delivery.payload for delivery in processor.deliveries)


def test_only_its_own_device_is_forwarded(site: Site, cloud: Broker) -> None:
    processor = site.processor(cloud)
    site.forwarder(cloud)
    mine, other = site.make_event(device=site.device), site.make_event(device="other")
    assert site.camera.publish(other, mine) == [Outcome.UNROUTED, Outcome.ACCEPTED]
    processor.await_all([mine])


def test_it_stops_cleanly_and_what_it_held_is_forwarded_by_the_next(site: Site, cloud: Broker) -> None:
    forwarder = site.forwarder(cloud)
    events = site.events(10)
    site.camera.publish(*events)
    await_until(lambda: forwarder.metric("facefleet_messages_held") == 10, 15, "it holds them")
    assert forwarder.stop() == 0
    forwarder.start()
    site.processor(cloud).await_all(events)
