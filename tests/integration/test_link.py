"""The link against a real broker, through a proxy that loses connections."""

import pytest
from facefleet.messaging import topics
from facefleet.messaging.event import parse
from facefleet.messaging.link import SESSION_FOR_EVER_S, Delivery, Link, Outcome, publish_event
from facefleet.runtime.settings import Qos

from tests.conftest import MakeEvent
from tests.integration.conftest import MakeBroker, MakeLink, MakeProxy
from tests.integration.containers import Broker
from tests.integration.proxy import Proxy
from tests.integration.waiting import await_until


class Inbox:
    """Keeps what came, unacknowledged, and each state of the link."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.states: list[tuple[bool, str]] = []

    def say(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - as the link calls it
        self.states.append((connected, detail))

    @property
    def connects(self) -> int:
        return [connected for connected, _ in self.states].count(True)

    def await_connects(self, number: int, timeout: float = 15) -> None:
        await_until(lambda: self.connects >= number, timeout, f"{number} connects: {self.states}")

    def await_disconnect(self) -> None:
        await_until(lambda: self.states and not self.states[-1][0], 15, "it notices")

    def await_deliveries(self, number: int, timeout: float = 8) -> list[Delivery]:
        await_until(lambda: len(self.deliveries) >= number, timeout, f"{number} deliveries")
        return self.deliveries


class Wire:
    """A publisher at the broker, and a subscriber behind a proxy, whose session outlives the connection."""

    def __init__(self, make_link: MakeLink, broker_port: int, proxy: Proxy, device: str) -> None:
        self.device = device
        self.proxy = proxy
        self.inbox = Inbox()
        self._make_link = make_link
        self._broker_port = broker_port
        self.publisher = make_link(broker_port)
        await_until(lambda: self.publisher.connected, 15, "the publisher is connected")

    def subscribe(self, qos: Qos = 1) -> None:
        """Subscribe, and wait until that stands: the first message, `ready`, is acknowledged."""
        self.subscriber = self._make_link(
            self.proxy.port,
            f"{self.device}-subscriber",
            session_expiry_s=SESSION_FOR_EVER_S,
            qos=qos,
            subscriptions=[f"{self.device}/#"],
            on_message=self.inbox.deliveries.append,
            on_state=self.inbox.say,
        )
        self.inbox.await_connects(1)
        await_until(lambda: self.send(b"ready") is Outcome.ACCEPTED, 10, "the subscription stands")
        self.inbox.await_deliveries(1).pop().acknowledge()

    def send(self, payload: bytes, qos: Qos = 1) -> Outcome:
        return outcome_of(self.publisher, f"{self.device}/x", payload, qos)


def outcome_of(link: Link, topic: str, payload: bytes = b"x", qos: Qos = 1) -> Outcome:
    outcomes: list[Outcome] = []
    link.publish(topic, payload, qos=qos, done=outcomes.append)
    return await_until(lambda: outcomes, 5, f"{topic} is answered")[0]


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def wire(broker: Broker, make_link: MakeLink, make_proxy: MakeProxy, device: str) -> Wire:
    return Wire(make_link, broker.port, make_proxy(broker.port), device)


def test_it_connects_to_a_broker_that_is_started_later(
    make_broker: MakeBroker, make_link: MakeLink, inbox: Inbox
) -> None:
    broker = make_broker()
    link = make_link(broker.port, on_state=inbox.say)
    await_until(lambda: inbox.states, 10, "it says that it is not connected")
    connected, detail = inbox.states[0]
    assert not connected
    assert f"{broker.url} unreachable" in detail
    assert outcome_of(link, "later") is Outcome.UNSENT
    broker.start()
    inbox.await_connects(1)
    assert outcome_of(link, "later") is Outcome.UNROUTED


def test_it_connects_again_after_its_broker_was_killed(
    make_broker: MakeBroker, make_link: MakeLink, inbox: Inbox
) -> None:
    broker = make_broker()
    broker.start()
    make_link(broker.port, on_state=inbox.say)
    inbox.await_connects(1)
    broker.kill()
    inbox.await_disconnect()
    broker.start()
    inbox.await_connects(2)


def test_what_comes_after_a_restart_waits_for_a_subscriber_that_is_not_back_yet(
    make_broker: MakeBroker, make_link: MakeLink
) -> None:
    broker = make_broker()
    broker.start()
    got: list[bytes] = []

    def take(delivery: Delivery) -> None:
        got.append(delivery.payload)
        delivery.acknowledge()

    def subscribe() -> Link:
        states: list[bool] = []
        link = make_link(
            broker.port,
            "absent",
            session_expiry_s=SESSION_FOR_EVER_S,
            subscriptions=["kept/#"],
            on_message=take,
            on_state=lambda connected, _: states.append(connected),
        )
        await_until(lambda: True in states, 15, "the subscriber is connected")
        return link

    first = subscribe()
    publisher = make_link(broker.port, "present")
    await_until(lambda: publisher.connected, 15, "the publisher is connected")
    assert outcome_of(publisher, "kept/before", b"before") is Outcome.ACCEPTED
    await_until(lambda: got == [b"before"], 15, "the subscription stands")
    first.stop()
    broker.stop()
    broker.start()
    await_until(lambda: publisher.connected, 20, "the publisher is back")
    assert outcome_of(publisher, "kept/after", b"after") is Outcome.ACCEPTED
    subscribe()
    await_until(lambda: got == [b"before", b"after"], 15, "it waited")


def test_what_a_subscriber_gets_is_accepted(wire: Wire) -> None:
    wire.subscribe()
    assert wire.send(b"face") is Outcome.ACCEPTED
    assert [delivery.payload for delivery in wire.inbox.await_deliveries(1)] == [b"face"]


@pytest.mark.parametrize(("qos", "outcome"), [(1, Outcome.UNROUTED), (2, Outcome.ACCEPTED)])
def test_what_nobody_subscribed_to_is_unrouted_and_at_qos_2_only_a_receipt_tells(
    wire: Wire, qos: Qos, outcome: Outcome
) -> None:
    """Mosquitto sends PUBREC before it looks for subscribers."""
    assert wire.send(b"face", qos) is outcome


@pytest.mark.parametrize("qos", [1, 2])
def test_what_the_acl_forbids_is_refused(wire: Wire, qos: Qos) -> None:
    assert outcome_of(wire.publisher, "forbidden/x", qos=qos) is Outcome.REFUSED


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_published_while_offline_is_unsent(
    make_broker: MakeBroker, make_link: MakeLink, qos: Qos
) -> None:
    assert outcome_of(make_link(make_broker().port), "x/y", qos=qos) is Outcome.UNSENT


def test_qos_0_that_is_cut_off_on_its_way_is_answered_too(
    wire: Wire, make_link: MakeLink, inbox: Inbox
) -> None:
    """Or whoever holds it would hold it for ever."""
    link = make_link(wire.proxy.port, on_state=inbox.say)
    inbox.await_connects(1)
    wire.proxy.hold()
    outcomes: list[Outcome] = []
    for _ in range(20):  # more than the sockets' buffers take
        link.publish(f"{wire.device}/x", bytes(4_000_000), qos=0, done=outcomes.append)
    wire.proxy.cut()
    wire.proxy.release()
    await_until(lambda: len(outcomes) == 20, 15, "all are answered")
    assert Outcome.UNSENT in outcomes


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_not_acknowledged_comes_again_after_the_connection_is_cut(wire: Wire, qos: Qos) -> None:
    wire.subscribe(qos)
    wire.send(b"face", qos)
    (first,) = wire.inbox.await_deliveries(1)
    assert not first.redelivered
    wire.proxy.cut()
    _, second = wire.inbox.await_deliveries(2)
    assert second.redelivered
    assert (second.topic, second.payload) == (first.topic, b"face")


def test_an_acknowledgement_does_not_cross_into_a_new_connection(wire: Wire) -> None:
    """Neither into one that the broker has not answered yet, nor into one that stands."""
    wire.subscribe()
    wire.send(b"face")
    (first,) = wire.inbox.await_deliveries(1)
    wire.proxy.hold()
    wire.proxy.cut()
    await_until(lambda: wire.proxy.taken == 2, 10, "the next connection is under way")
    first.acknowledge()
    wire.proxy.release()
    wire.inbox.await_deliveries(2)
    first.acknowledge()
    # The broker reads in order: its answer to this tells that it has read what there was.
    assert outcome_of(wire.subscriber, "elsewhere") is Outcome.UNROUTED
    wire.proxy.cut()
    *_, third = wire.inbox.await_deliveries(3)
    assert (third.redelivered, third.payload) == (True, b"face")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_event_arrives_as_it_was_sent(
    wire: Wire, make_event: MakeEvent, make_link: MakeLink, qos: Qos
) -> None:
    wire.subscribe(qos)
    event = make_event(device=wire.device)
    publisher = make_link(wire.proxy.port, qos=qos, on_state=wire.inbox.say)
    wire.inbox.await_connects(2)
    outcomes: list[Outcome] = []
    publish_event(publisher, topics.faces(wire.device, wire.device, "lobby"), event, outcomes.append)
    await_until(lambda: outcomes == [Outcome.ACCEPTED], 10, "it is accepted")
    (delivery,) = wire.inbox.await_deliveries(1)
    sender = topics.sender(delivery.topic)
    assert parse(sender, delivery.content_type, delivery.properties, delivery.payload) == event


def test_what_was_acknowledged_does_not_come_again(wire: Wire) -> None:
    wire.subscribe()
    for payload in (b"first", b"second", b"held"):
        wire.send(payload)
    first, second, _ = wire.inbox.await_deliveries(3)
    second.acknowledge()
    first.acknowledge()
    # As above: it has read them.
    assert outcome_of(wire.subscriber, "elsewhere") is Outcome.UNROUTED
    wire.proxy.cut()
    wire.inbox.await_connects(2)
    wire.send(b"last")
    assert [delivery.payload for delivery in wire.inbox.await_deliveries(5)[3:]] == [b"held", b"last"]
