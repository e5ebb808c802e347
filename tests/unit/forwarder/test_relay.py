"""The relay holds each message until the other side has it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from facefleet.forwarder.relay import Relay
from facefleet.messaging.link import Delivery, Outcome

from tests.conftest import MakeDelivery, MakeEvent


class Cloud:
    """The other side: keeps what was sent until the test says what became of it."""

    def __init__(self) -> None:
        self.sent: list[tuple[Delivery, Callable[[Outcome], None]]] = []

    def send(self, delivery: Delivery, done: Callable[[Outcome], None]) -> None:
        self.sent.append((delivery, done))

    def answer(self, outcome: Outcome) -> None:
        _, done = self.sent[-1]
        done(outcome)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def acknowledged() -> list[str]:
    return []


@pytest.fixture
def delivery(make_event: MakeEvent, make_delivery: MakeDelivery, acknowledged: list[str]) -> Delivery:
    return make_delivery(make_event(), acknowledge=lambda: acknowledged.append("first"))


def test_a_message_is_acknowledged_once_the_cloud_has_it(
    cloud: Cloud, delivery: Delivery, acknowledged: list[str]
) -> None:
    relay = Relay(cloud.send, retry_s=0)
    relay.take(delivery)
    assert [sent for sent, _ in cloud.sent] == [delivery]
    assert acknowledged == []
    cloud.answer(Outcome.ACCEPTED)
    relay.retry_due()
    assert acknowledged == ["first"]
    assert len(cloud.sent) == 1


@pytest.mark.parametrize("outcome", [Outcome.UNROUTED, Outcome.REFUSED, Outcome.UNSENT])
def test_a_message_that_was_not_taken_is_sent_again_until_it_is(
    cloud: Cloud, delivery: Delivery, acknowledged: list[str], outcome: Outcome
) -> None:
    relay = Relay(cloud.send, retry_s=0)
    relay.take(delivery)
    for tries in (2, 3):
        cloud.answer(outcome)
        relay.retry_due()
        assert [sent for sent, _ in cloud.sent] == [delivery] * tries
        assert acknowledged == []
    cloud.answer(Outcome.ACCEPTED)
    assert acknowledged == ["first"]


def test_it_waits_before_it_sends_again(
    cloud: Cloud, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("facefleet.forwarder.relay.time.monotonic", lambda: now[0])
    relay = Relay(cloud.send, retry_s=10)
    relay.take(delivery)
    cloud.answer(Outcome.UNROUTED)
    now[0] += 9.9
    relay.retry_due()
    assert len(cloud.sent) == 1
    now[0] += 0.2
    relay.retry_due()
    assert len(cloud.sent) == 2


def test_a_redelivered_message_is_not_sent_twice(
    cloud: Cloud, delivery: Delivery, acknowledged: list[str]
) -> None:
    relay = Relay(cloud.send, retry_s=0)
    relay.take(delivery)
    relay.take(replace(delivery, redelivered=True, acknowledge=lambda: acknowledged.append("again")))
    assert len(cloud.sent) == 1
    cloud.answer(Outcome.ACCEPTED)
    assert acknowledged.count("again") == 1


def test_a_redelivery_while_it_waits_does_not_send_it_twice(
    cloud: Cloud, delivery: Delivery, acknowledged: list[str]
) -> None:
    relay = Relay(cloud.send, retry_s=0)
    relay.take(delivery)
    cloud.answer(Outcome.REFUSED)
    relay.take(replace(delivery, redelivered=True, acknowledge=lambda: acknowledged.append("again")))
    relay.retry_due()
    relay.retry_due()
    assert len(cloud.sent) == 2
    cloud.answer(Outcome.ACCEPTED)
    assert acknowledged.count("again") == 1


def test_one_that_is_refused_does_not_hold_up_those_behind_it(
    cloud: Cloud, make_event: MakeEvent, make_delivery: MakeDelivery, acknowledged: list[str]
) -> None:
    relay = Relay(cloud.send, retry_s=0)
    for name in ("refused", "good"):
        relay.take(make_delivery(make_event(), acknowledge=lambda name=name: acknowledged.append(name)))
    _, refused = cloud.sent[0]
    refused(Outcome.REFUSED)
    cloud.answer(Outcome.ACCEPTED)
    assert acknowledged == ["good"]
