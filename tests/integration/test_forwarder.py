"""The forwarder between two real brokers: it keeps what it took until the receipt."""

import json
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography import x509
from facefleet.custody.layout import HEADER_SIZE, decode_header, encode_header
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import FaceEvent, parse
from facefleet.messaging.link import Outcome
from facefleet.messaging.receipts import Answer, decode

from tests.integration.certificates import Authority
from tests.integration.conftest import MakeBroker, MakeTlsBroker
from tests.integration.containers import Broker
from tests.integration.edge_site import MIB, Camera, Site, Taker, accounts
from tests.integration.services import Service
from tests.integration.waiting import await_until


def await_released(service: Service, number: int, timeout: float = 30) -> None:
    await_until(
        lambda: (found := accounts(service))["handed_on"] == number and found["held"] == 0,
        timeout,
        f"{number} are receipted",
    )


@pytest.fixture
def cloud(make_broker: MakeBroker) -> Broker:
    """A cloud broker of the test's own."""
    own = make_broker()
    own.start()
    return own


def test_a_message_arrives_as_it_was_sent_and_is_let_go_on_its_receipt(site: Site, cloud: Broker) -> None:
    taker = Taker(site, cloud)
    forwarder = site.forwarder(cloud)
    forwarder.await_healthy()
    (event,) = site.events(1)
    site.publish(site.camera(), event)
    taker.await_all([event])
    delivery = taker.deliveries[0]
    sender = topics.sender(delivery.topic)
    assert parse(sender, delivery.content_type, delivery.properties, delivery.payload) == event
    assert delivery.response_topic == topics.receipts(site.device)
    await_released(forwarder, 1)


def test_what_nobody_takes_is_kept_and_not_sent_again_and_again(site: Site, cloud: Broker) -> None:
    forwarder = site.forwarder(cloud)
    events = site.events(50)
    site.publish(site.camera(), *events)
    await_until(lambda: forwarder.lines("nobody takes messages"), 10, "it says so")
    time.sleep(2)
    sent = forwarder.metric("facefleet_messages_sent_total")
    assert accounts(forwarder)["held"] == 50
    assert sent < 50 + 10
    Taker(site, cloud).await_all(events)
    await_released(forwarder, 50)


def test_without_a_receipt_it_is_sent_again_with_the_same_identity(site: Site, cloud: Broker) -> None:
    taker = Taker(site, cloud, answer=None)
    forwarder = site.forwarder(cloud)
    events = site.events(3)
    site.publish(site.camera(), *events)
    await_until(lambda: len(taker.deliveries) >= 6, 20, "each came twice")
    assert accounts(forwarder)["held"] == 3
    taker.answer = Answer.STORED
    await_released(forwarder, 3)
    correlations = {delivery.correlation for delivery in taker.deliveries}
    assert len(correlations) == 3
    assert forwarder.lines("receipts do not come in time")


def test_a_late_receipt_counts_and_one_of_nothing_does_not(site: Site, cloud: Broker) -> None:
    taker = Taker(site, cloud, answer=None)
    forwarder = site.forwarder(cloud, receipt_timeout_s=0.5, retry_most_s=60)
    (event,) = site.events(1)
    site.publish(site.camera(), event)
    await_until(lambda: len(taker.deliveries) >= 2, 20, "it came twice")
    topic = topics.receipts(site.device)
    taker.link.publish(topic, b"junk")
    taker.link.publish(topic, b'{"stored": ["00", "%s"]}' % (b"00" * 12))
    await_until(lambda: forwarder.lines("not receipts"), 10, "junk is told")
    assert accounts(forwarder)["held"] == 1
    taker.give(taker.deliveries[0], Answer.STORED)
    await_released(forwarder, 1)


def test_a_dead_letter_is_let_go_and_counted_as_such(site: Site, cloud: Broker) -> None:
    Taker(site, cloud, answer=Answer.DEAD)
    forwarder = site.forwarder(cloud)
    site.publish(site.camera(), *site.events(2))
    await_until(lambda: accounts(forwarder)["rejected"] == 2, 15, "they are let go")
    assert accounts(forwarder)["held"] == 0


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_cloud_broker_that_is_killed_gets_all_again_with_any_qos(
    site: Site, cloud: Broker, qos: int
) -> None:
    site.qos = qos
    taker = Taker(site, cloud)
    forwarder = site.forwarder(cloud)
    events = site.events(120)
    camera = site.camera()
    site.publish(camera, *events[:1])
    taker.await_all(events[:1])
    taker.answer = None
    camera.publish(*events[1:40])
    await_until(lambda: len(taker.deliveries) > 10, 20, "some arrived, and have no receipt")
    cloud.kill()
    camera.publish(*events[40:80])
    await_until(lambda: "cloud_broker" in " ".join(forwarder.problems()), 10, "the health file says so")
    taker.answer = Answer.STORED
    cloud.start()
    camera.publish(*events[80:])
    taker.await_all(events)
    await_released(forwarder, 120)
    forwarder.await_healthy()


def test_a_forwarder_that_is_killed_in_mid_stream_loses_nothing(site: Site, cloud: Broker) -> None:
    taker = Taker(site, cloud, answer=None)
    forwarder = site.forwarder(cloud)
    camera = site.camera()
    events = site.events(200)
    site.publish(camera, events[0])
    for begin in range(0, 200, 50):
        camera.publish(*events[begin : begin + 50])
        await_until(lambda: forwarder.metric("facefleet_events_held") > 0, 15, "it holds some")
        forwarder.kill()
        forwarder.start()
        forwarder.await_healthy()
    taker.answer = Answer.STORED
    taker.await_all(events)
    await_released(forwarder, 200)


def test_only_its_own_device_is_forwarded(site: Site, cloud: Broker) -> None:
    taker = Taker(site, cloud)
    site.forwarder(cloud)
    mine, other = site.make_event(device=site.device), site.make_event(device="other")
    camera = site.camera()
    site.publish(camera, mine)
    assert camera.publish(other) == [Outcome.UNROUTED]
    taker.await_all([mine])


def test_it_stops_cleanly_and_what_it_held_is_forwarded_by_the_next(site: Site, cloud: Broker) -> None:
    forwarder = site.forwarder(cloud)
    events = site.events(10)
    site.publish(site.camera(), *events)
    await_until(lambda: forwarder.metric("facefleet_events_held") == 10, 15, "it holds them")
    assert forwarder.stop() == 0
    forwarder.start()
    Taker(site, cloud).await_all(events)
    await_released(forwarder, 10)


class Asker:
    """A publisher that wants to be told, at the edge."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.answers: list[tuple[Answer, bytes]] = []
        self.camera = site.camera(
            subscriptions=[topics.camera_receipts(site.device, "lobby")], on_message=self.hear
        )

    def hear(self, delivery: Delivery) -> None:
        delivery.acknowledge()
        self.answers += decode(delivery.payload)

    def ask(self, event: FaceEvent, correlation: bytes, response_topic: str | None = None) -> None:
        self.site.publish(
            self.camera,
            event,
            response_topic=response_topic or topics.camera_receipts(self.site.device, "lobby"),
            correlation=correlation,
        )

    def await_answers(self, number: int) -> list[tuple[Answer, bytes]]:
        await_until(lambda: len(self.answers) >= number, 20, f"{number} answers")
        return self.answers


def test_who_asks_is_answered_and_the_same_event_is_kept_once(site: Site, cloud: Broker) -> None:
    forwarder = site.forwarder(cloud)
    asker = Asker(site)
    (event,) = site.events(1)
    for copy in range(3):
        asker.ask(event, b"one")
        assert asker.await_answers(copy + 1)[-1] == (Answer.KEPT, b"one")
    assert accounts(forwarder)["taken"] == 1
    forwarder.kill()
    forwarder.start()
    forwarder.await_healthy()
    asker.ask(event, b"one")
    asker.await_answers(4)
    assert accounts(forwarder)["taken"] == 1


def test_an_answer_goes_to_the_cameras_own_topic_wherever_it_is_wanted(site: Site, cloud: Broker) -> None:
    site.forwarder(cloud)
    asker = Asker(site)
    elsewhere: list[Delivery] = []
    link = site.make_link(site.edge.port, subscriptions=["elsewhere/#"], on_message=elsewhere.append)
    await_until(lambda: link.connected, 10, "it is connected")
    asker.ask(site.events(1)[0], b"one", response_topic="elsewhere/x")
    assert asker.await_answers(1) == [(Answer.KEPT, b"one")]
    asker.ask(site.events(1)[0], b"c" * 65)
    asker.ask(site.events(1)[0], b"two")
    assert asker.await_answers(2)[1:] == [(Answer.KEPT, b"two")]
    assert elsewhere == []


@pytest.mark.timeout(180)
def test_a_full_spool_leaves_events_with_their_holders_until_there_is_room(site: Site, cloud: Broker) -> None:
    forwarder = site.forwarder(cloud, spool_max_bytes=64 * MIB, take_window=10)
    asker = Asker(site)
    big = [site.make_event(device=site.device, image=bytes([number]) * MIB) for number in range(90)]
    for number, event in enumerate(big):
        asker.ask(event, b"%d" % number)
    refused = [each for answer, each in asker.await_answers(90) if answer is Answer.REFUSED]
    assert 20 <= len(refused) <= 40
    await_until(lambda: "the spool is full" in " ".join(forwarder.problems()), 10, "the health file says so")
    # Who wants no answer: the broker holds it.
    plain = site.events(1, image=bytes(MIB))
    site.publish(site.camera(), *plain)
    taker = Taker(site, cloud)
    kept = [event for number, event in enumerate(big) if b"%d" % number not in refused]
    taker.await_all(kept + plain, timeout=60)
    await_released(forwarder, len(kept) + 1)
    forwarder.await_healthy()


def test_the_window_is_never_passed(site: Site, cloud: Broker) -> None:
    taker = Taker(site, cloud, answer=None)
    forwarder = site.forwarder(cloud, window=5, receipt_timeout_s=60)
    site.publish(site.camera(), *site.events(30))
    await_until(lambda: accounts(forwarder)["taken"] == 30, 15, "all are taken")
    time.sleep(1)
    assert len(taker.deliveries) == 5


def backlog(site: Site, cloud: Broker, number: int, **settings: object) -> tuple[Service, list[FaceEvent]]:
    """A forwarder that holds so many events, and a cloud without a taker."""
    forwarder = site.forwarder(cloud, **settings)
    events = site.events(number)
    site.publish(site.camera(), *events)
    await_until(lambda: accounts(forwarder)["held"] == number, 15, "it holds them")
    return forwarder, events


@pytest.mark.parametrize("priority", ["newest", "oldest"])
def test_the_preferred_end_goes_first_and_the_other_does_not_starve(
    site: Site, cloud: Broker, priority: str
) -> None:
    forwarder, events = backlog(site, cloud, 200, priority=priority, window=4)
    place = {event.id: number for number, event in enumerate(events)}
    taker = Taker(site, cloud)
    await_released(forwarder, 200)
    first = [place[identity] for identity in dict.fromkeys(taker.ids)][:80]
    newer = sum(number >= 100 for number in first)
    assert (newer if priority == "newest" else 80 - newer) in range(50, 70)


def test_a_bandwidth_cap_holds_and_new_events_pass_a_backlog(site: Site, cloud: Broker) -> None:
    """Of 100 KB a second, a backlog of 2 MB has a part and what is new now the rest."""
    forwarder = site.forwarder(cloud, bandwidth_bytes_s=100_000, priority="oldest", receipt_timeout_s=10)
    camera = site.camera()
    old = [site.make_event(device=site.device, image=bytes([number]) * 20_000) for number in range(100)]
    site.publish(camera, *old)
    taker = Taker(site, cloud)
    await_until(lambda: taker.deliveries, 20, "the first comes")
    begun = time.monotonic()
    (new,) = site.events(1)
    site.publish(camera, new)
    await_until(lambda: new.id in taker.ids, 20, "the new one passes")
    assert len(taker.deliveries) < len(old)
    await_until(lambda: len(taker.deliveries) >= 26, 60, "the backlog goes on")
    # 25 of them are 500 KB, of which the first second's share may go at once.
    assert time.monotonic() - begun >= 25 * 20_000 / 100_000 - 1
    assert forwarder.running


def test_the_device_says_its_accounts_and_is_offline_by_its_will(site: Site, cloud: Broker) -> None:
    said: list[dict[str, Any]] = []

    def hear(delivery: Delivery) -> None:
        delivery.acknowledge()
        said.append(json.loads(delivery.payload))

    site.make_link(cloud.port, subscriptions=[topics.device_status(site.device)], on_message=hear)
    at_edge: list[dict[str, Any]] = []
    site.make_link(
        site.edge.port,
        subscriptions=[topics.device_status(site.device)],
        on_message=lambda delivery: at_edge.append(json.loads(delivery.payload)),
        receive_maximum=1000,
    )
    camera = site.camera()
    (site.folder / "release").write_text("77e0c2b19a45\n")
    forwarder = site.forwarder(cloud, shown_dir=site.folder, clock="trusted")
    camera_status = {"state": "online", "captured": 3, "handed_on": 3, "given_up": 0, "held": 0}
    camera._link.publish(
        topics.camera_status(site.device, "lobby"), json.dumps(camera_status).encode(), retain=True
    )
    site.publish(camera, *site.events(3))
    await_until(lambda: said and said[-1]["held"] == 3, 15, "it says what it holds")
    assert said[-1]["last_receipt"] is None
    assert "nobody takes messages" in said[-1]["cloud"]
    Taker(site, cloud)
    await_until(lambda: said[-1]["stored"] == 3 and said[-1]["cloud"] == "connected", 15, "all is stored")
    assert said[-1]["cameras"] == {"lobby": camera_status}
    assert said[-1]["started"] <= said[-1]["cloud_since"] <= said[-1]["said"]
    assert said[-1]["started"] <= said[-1]["last_receipt"] <= said[-1]["said"]
    assert (said[-1]["release"], said[-1]["clock"]) == ("77e0c2b19a45", "right")
    assert said[-1]["certificate_ends"] is None
    assert 0 < said[-1]["host"]["disk_free"] <= said[-1]["host"]["disk_total"]
    assert 0 < said[-1]["spool_bytes"] < said[-1]["spool_max_bytes"]
    await_until(lambda: at_edge and at_edge[-1] == said[-1], 15, "it says the same at the edge")
    assert {line["state"] for line in said} == {"online"}
    for line in said:
        assert line["taken"] == line["stored"] + line["dead"] + line["given_up"] + line["held"]
    forwarder.kill()
    await_until(lambda: said[-1] == at_edge[-1] == {"state": "offline"}, 40, "its will is done")
    forwarder.start()
    await_until(lambda: said[-1]["state"] == "online", 20, "it is back")
    assert said[-1]["taken"] == 3
    assert forwarder.stop() == 0
    await_until(lambda: said[-1]["state"] == at_edge[-1]["state"] == "stopped", 20, "it says goodbye")
    forwarder.start()
    await_until(lambda: at_edge[-1]["state"] == "online", 20, "it is back")
    cloud.stop()
    await_until(lambda: "unreachable" in at_edge[-1]["cloud"], 20, "it says what is wrong where it still can")
    (site.folder / "release").write_text("3c1d5a0f9b7e\n")
    await_until(lambda: at_edge[-1]["release"] == "3c1d5a0f9b7e", 10, "it reads the release anew")
    paused = camera_status | {"camera": "paused"}
    camera._link.publish(topics.camera_status(site.device, "lobby"), json.dumps(paused).encode(), retain=True)
    await_until(lambda: at_edge[-1]["cameras"]["lobby"] == paused, 5, "a camera's turn is news")


def test_a_spool_of_the_future_is_refused_and_left_alone(site: Site, cloud: Broker) -> None:
    forwarder, _ = backlog(site, cloud, 3)
    assert forwarder.stop() == 0
    (file,) = (site.folder / "state-0" / "spool").glob("*.seg")
    written = file.read_bytes()
    header = decode_header(written)
    assert header
    newer = encode_header(header._replace(version=99)) + written[HEADER_SIZE:]
    file.write_bytes(newer)
    forwarder.start()
    assert forwarder.wait() == 70
    assert forwarder.lines("cannot go on", file.name, "99")
    assert file.read_bytes() == newer


def test_what_the_cloud_broker_refuses_is_kept_and_not_sent_again_and_again(
    site: Site, broker: Broker, cloud: Broker
) -> None:
    """The shared broker, whose ACL forbids the prefix, is the cloud of this test, and the other the edge."""
    forwarder = replace(site, edge=cloud).forwarder(broker, topic_prefix="forbidden")
    camera = Camera(site.make_link(cloud.port), "forbidden")
    for event in site.events(3):
        await_until(
            lambda event=event: camera.publish(event) == [Outcome.ACCEPTED],  # type: ignore[misc]
            15,
            "the forwarder has subscribed",
        )
    await_until(lambda: forwarder.lines("the broker refuses a message, kept"), 15, "it says so")
    time.sleep(2)
    assert 3 <= forwarder.metric("facefleet_messages_sent_total") < 15
    assert accounts(forwarder)["held"] == 3


def test_over_mutual_tls_a_killed_broker_gets_all_again_and_an_acl_drops_nothing(
    site: Site, make_tls_broker: MakeTlsBroker, authority: Authority
) -> None:
    """An ACL makes Mosquitto drop what comes after a restart for a session that is not back yet.

    Nobody leaves a session in the cloud: what comes meanwhile is unrouted, and so kept.
    """
    cloud = make_tls_broker()
    cloud.allow(
        f"topic readwrite #\n\nuser {site.device}\ntopic write {site.device}/#\ntopic read receipts/#\n"
    )
    cloud.start()
    identity = authority.issue(site.device)
    taker = Taker(site, cloud)
    told: list[dict[str, Any]] = []
    site.make_link(
        site.edge.port,
        subscriptions=[topics.device_status(site.device)],
        on_message=lambda delivery: told.append(json.loads(delivery.payload)),
        receive_maximum=1000,
    )
    forwarder = site.forwarder(
        cloud,
        cloud_broker=cloud.tls_url,
        cloud_ca=identity.ca,
        cloud_certificate=identity.certificate,
        cloud_key=identity.key,
    )
    camera = site.camera()
    events = site.events(120)
    site.publish(camera, events[0])
    await_released(forwarder, 1)
    ends = x509.load_pem_x509_certificate(identity.certificate.read_bytes()).not_valid_after_utc
    await_until(lambda: told and told[-1]["cloud"] == "connected", 10, "it says how it stands")
    assert datetime.fromisoformat(told[-1]["certificate_ends"]) == ends
    taker.link.stop()
    camera.publish(*events[1:60])
    cloud.kill()
    cloud.start()
    camera.publish(*events[60:])
    await_until(lambda: forwarder.lines("nobody takes messages"), 30, "it is back before the taker")
    after = Taker(site, cloud)
    await_released(forwarder, 120, 60)
    assert set(after.ids) == {event.id for event in events[1:]}


def test_what_waits_longer_than_it_may_is_given_up_and_counted(site: Site, cloud: Broker) -> None:
    cloud.stop()
    forwarder = site.forwarder(cloud, keep_s=2)
    old = site.events(20)
    site.publish(site.camera(), *old)
    await_until(lambda: accounts(forwarder)["given_up"] == 20, 15, "the old ones are given up")
    assert forwarder.lines("too old: given up")
    assert accounts(forwarder)["held"] == 0
    cloud.start()
    taker = Taker(site, cloud)
    forwarder.await_healthy()
    young = site.events(5)
    site.publish(site.camera(), *young)
    taker.await_all(young)
    await_released(forwarder, 5)
    assert accounts(forwarder)["taken"] == 25
