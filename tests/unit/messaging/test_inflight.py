"""Each message is worked on once, and every copy that came is acknowledged once."""

from dataclasses import replace
from threading import Barrier, Thread

from facefleet.messaging.inflight import InFlight, Key

from tests.conftest import MakeDelivery, MakeEvent


def test_a_message_is_acknowledged_when_it_is_finished_and_not_before(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    acknowledged: list[str] = []
    inflight = InFlight()
    key = inflight.take(make_delivery(make_event(), acknowledge=lambda: acknowledged.append("first")))
    assert key is not None
    assert (acknowledged, len(inflight)) == ([], 1)
    inflight.finish(key)
    assert (acknowledged, len(inflight)) == (["first"], 0)


def test_a_redelivered_message_is_not_begun_again_and_its_newest_copy_is_acknowledged_once(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    acknowledged: list[str] = []
    inflight = InFlight()
    first = make_delivery(make_event(), acknowledge=lambda: acknowledged.append("first"))
    again = replace(first, redelivered=True, acknowledge=lambda: acknowledged.append("again"))
    key = inflight.take(first)
    assert key is not None
    assert inflight.take(again) is None
    inflight.finish(key)
    assert acknowledged.count("again") == 1
    assert len(inflight) == 0


def test_a_message_that_was_sent_twice_leaves_no_copy_unacknowledged(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    """Or it would take up a place in the broker's window for as long as the connection lasts."""
    acknowledged: list[int] = []
    inflight = InFlight()
    event = make_event()
    keys = [
        inflight.take(make_delivery(event, acknowledge=lambda copy=copy: acknowledged.append(copy)))
        for copy in range(3)
    ]
    inflight.finish(next(key for key in keys if key))
    assert sorted(acknowledged) == [0, 1, 2]


def test_a_finished_message_is_taken_again(make_event: MakeEvent, make_delivery: MakeDelivery) -> None:
    inflight = InFlight()
    delivery = make_delivery(make_event())
    key = inflight.take(delivery)
    assert key is not None
    inflight.finish(key)
    assert inflight.take(delivery) == key


def test_two_messages_with_one_id_are_both_worked_on(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    inflight = InFlight()
    deliveries = [make_delivery(make_event(id="one")) for _ in range(2)]
    assert all(inflight.take(delivery) for delivery in deliveries)
    assert len(inflight) == 2


def test_messages_without_an_id_are_told_apart(make_event: MakeEvent, make_delivery: MakeDelivery) -> None:
    inflight = InFlight()
    deliveries = [make_delivery(make_event(), change={"id": None}) for _ in range(2)]
    assert all(inflight.take(delivery) for delivery in deliveries)


def test_of_many_threads_with_one_message_one_begins(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    inflight = InFlight()
    delivery = make_delivery(make_event())
    together = Barrier(8)
    began: list[Key | None] = []

    def take() -> None:
        together.wait(5)
        began.append(inflight.take(delivery))

    threads = [Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(began) == 8
    assert len([key for key in began if key]) == 1
