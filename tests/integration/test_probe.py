"""The gate's probe, over real brokers, forwarder, processor and S3 server."""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from facefleet.courier.courier import OTHER_END_EVERY
from facefleet.courier.letter import letter_of
from facefleet.custody.spool import Spool
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.receipts import Answer, decode
from mypy_boto3_s3 import S3Client

from tests.integration.certificates import Authority
from tests.integration.conftest import MakeBroker, MakeTlsBroker
from tests.integration.containers import Broker, S3Server
from tests.integration.edge_site import MIB, Site, Taker, accounts
from tests.integration.services import Service, environment
from tests.integration.waiting import await_until, free_port

LOBBY = "lobby"
BACKLOG = 20_000
WINDOW = 16


@dataclass
class Gate:
    """All from the edge broker to the bucket, started one by one."""

    site: Site
    cloud: Broker
    s3: S3Server
    operator: S3Client

    def forwarder(self, **settings: object) -> Service:
        return self.site.forwarder(self.cloud, **settings)

    def processor(self, **settings: str) -> Service:
        given = {
            "broker": self.cloud.url,
            "bucket": "faces",
            "s3_endpoint": self.s3.url,
            "topic_prefix": self.site.device,
            **settings,
        }
        service = self.site.make_service(
            "processor",
            {
                "AWS_SHARED_CREDENTIALS_FILE": str(self.s3.credentials("processor")),
                **{f"FACEFLEET_{name.upper()}": value for name, value in given.items()},
            },
        )
        service.await_healthy()
        return service

    def settings(self, **changes: str) -> dict[str, str]:
        """Return what the probe is told: all of the forwarder's settings, as in its container."""
        given = {
            "broker": self.site.edge.url,
            "device": self.site.device,
            "topic_prefix": self.site.device,
            "cloud_broker": self.cloud.url,
            "qos": str(self.site.qos),
            **changes,
        }
        return {f"FACEFLEET_{name.upper()}": value for name, value in given.items()}

    def begin(self, timeout: float, **changes: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "facefleet.probe", "--timeout", str(timeout)],
            env=environment(self.settings(**changes)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def passes(self, timeout: float = 40, **changes: str) -> dict[str, Any]:
        """Run the probe, which must succeed; return what it said."""
        return passed(self.begin(timeout, **changes))

    def fails(self, timeout: float = 5, **changes: str) -> str:
        """Run the probe, which must fail with 1; return its last line."""
        probe = self.begin(timeout, **changes)
        out, error = probe.communicate(timeout=timeout + 10)
        assert (probe.returncode, out) == (1, "")
        return error.splitlines()[-1]

    def keys(self, prefix: str) -> list[str]:
        found = self.operator.list_objects_v2(Bucket="faces", Prefix=f"{prefix}/{self.site.device}/")
        return [entry["Key"] for entry in found.get("Contents", [])]


def passed(probe: subprocess.Popen[str]) -> dict[str, Any]:
    out, error = probe.communicate(timeout=60)
    assert probe.returncode == 0, error
    (line,) = out.splitlines()
    said: dict[str, Any] = json.loads(line)
    assert said["stored"] is True
    return said


@pytest.fixture
def gate(site: Site, make_broker: MakeBroker, s3: S3Server) -> Gate:
    cloud = make_broker()
    cloud.start()
    return Gate(site, cloud, s3, s3.client("operator"))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_probe_is_stored_and_is_no_face(gate: Gate, qos: int) -> None:
    gate.site.qos = qos
    forwarder, processor = gate.forwarder(), gate.processor()
    said = gate.passes()
    (key,) = gate.keys("probes")
    assert key.startswith(f"probes/{gate.site.device}/")
    assert key.endswith(f"-{said['id']}.png")
    assert said["seconds"] < 20
    assert gate.keys("faces") == []
    assert processor.metric("facefleet_probes_stored_total") == 1
    assert processor.metric("facefleet_faces_stored_total") == 0
    books = accounts(forwarder)
    assert books["taken"] == books["handed_on"] + books["rejected"] + books["held"]
    assert (books["taken"], books["held"]) == (1, 0)


def test_it_waits_for_whoever_starts_later(gate: Gate, make_broker: MakeBroker) -> None:
    """As after an upgrade: the edge broker, the forwarder, the processor."""
    gate.site.edge = make_broker()
    probe = gate.begin(60)
    gate.site.edge.start()
    gate.forwarder()
    gate.processor()
    passed(probe)


def test_without_an_edge_broker_it_says_so(gate: Gate) -> None:
    port = free_port()
    said = gate.fails(2, broker=f"mqtt://127.0.0.1:{port}")
    assert said.startswith(f"the edge broker is unreachable: mqtt://127.0.0.1:{port}: ")
    assert "refused" in said


def test_without_a_forwarder_it_says_so(gate: Gate) -> None:
    assert gate.fails(3).startswith("the forwarder takes nothing: nobody listens to")
    forwarder = gate.forwarder()
    gate.processor()
    gate.passes()
    assert forwarder.stop() == 0
    assert gate.fails(3) == "the forwarder takes nothing: it is stopped; see its log, and start it"
    forwarder.start()
    forwarder.await_healthy()
    forwarder.kill()
    assert "the forwarder takes nothing: it is offline" in gate.fails(3)


def test_without_a_processor_it_says_so_and_how_many_are_held(gate: Gate) -> None:
    gate.forwarder()
    said = gate.fails(8)
    assert said.startswith("the forwarder holds it, but no receipt came from the cloud within 8 s: ")
    assert "It says: nobody takes messages." in said
    assert "The device holds 1 events." in said


def test_a_refused_certificate_is_named(
    gate: Gate, make_tls_broker: MakeTlsBroker, authority: Authority
) -> None:
    cloud = make_tls_broker()
    jetson = authority.issue("jetson-01")
    cloud.revoke(jetson)
    cloud.start()
    forwarder = gate.forwarder(
        cloud_broker=cloud.tls_url,
        cloud_ca=jetson.ca,
        cloud_certificate=jetson.certificate,
        cloud_key=jetson.key,
    )
    said = gate.fails(8)
    assert "the forwarder holds it" in said
    assert "the broker refused our certificate, it is revoked" in said
    assert any("it is revoked" in problem for problem in forwarder.problems())


def test_a_dead_probe_fails_at_once(gate: Gate) -> None:
    gate.forwarder()
    Taker(gate.site, gate.cloud, answer=Answer.DEAD)
    assert "took the probe" in gate.fails(60)


def test_a_forwarder_that_is_killed_in_between_tells_nonetheless(gate: Gate) -> None:
    """The receipt comes for what it sent before."""
    taker = Taker(gate.site, gate.cloud, answer=None)
    forwarder = gate.forwarder()
    probe = gate.begin(60)
    await_until(lambda: taker.deliveries, 20, "it is on its way")
    forwarder.kill()
    forwarder.start()
    forwarder.await_healthy()
    taker.answer = Answer.STORED
    passed(probe)


@pytest.mark.parametrize("priority", ["newest", "oldest"])
def test_a_probe_passes_a_backlog(gate: Gate, priority: str) -> None:
    """It is among the next few that leave, whichever end goes first."""
    site = gate.site
    spool = Spool(site.folder / "state-0" / "spool", max_bytes=1024 * MIB)
    topic = topics.faces(site.device, site.device, LOBBY)
    for _ in range(20):
        spool.append([letter_of(topic, event).entry() for event in site.events(1000, image=bytes(2000))])
    spool.close()
    taker = Taker(site, gate.cloud, answer=None)
    forwarder = gate.forwarder(priority=priority, window=WINDOW, receipt_timeout_s=60)
    await_until(lambda: accounts(forwarder)["held"] == BACKLOG, 20, "it has its backlog")
    await_until(lambda: taker.deliveries, 20, "some are on their way")
    probe = gate.begin(60)
    await_until(lambda: accounts(forwarder)["taken"] == BACKLOG + 1, 20, "the probe is on the disk")
    before = len(taker.deliveries)
    taker.answer = Answer.STORED
    for delivery in taker.deliveries[:before]:
        taker.give(delivery, Answer.STORED)
    said = passed(probe)
    assert taker.ids.index(said["id"]) < before + 2 * OTHER_END_EVERY
    assert accounts(forwarder)["held"] > BACKLOG / 2


def test_only_probes_are_told_of_at_the_edge(gate: Gate) -> None:
    heard: list[tuple[str, list[tuple[Answer, bytes]]]] = []

    def hear(delivery: Delivery) -> None:
        delivery.acknowledge()
        heard.append((delivery.topic, decode(delivery.payload)))

    gate.site.make_link(
        gate.site.edge.port, subscriptions=[f"receipts/{gate.site.device}/+"], on_message=hear
    )
    forwarder = gate.forwarder()
    gate.processor()
    (event,) = gate.site.events(1)
    gate.site.publish(
        gate.site.camera(),
        event,
        response_topic=topics.camera_receipts(gate.site.device, LOBBY),
        correlation=b"one",
    )
    await_until(lambda: accounts(forwarder)["handed_on"] == 1, 20, "it is stored")
    said = gate.passes()
    lobby, probe = (topics.camera_receipts(gate.site.device, each) for each in (LOBBY, topics.PROBE))
    answers = {
        topic: [answer for where, batch in heard if where == topic for answer, _ in batch]
        for topic in (lobby, probe)
    }
    assert answers[lobby] == [Answer.KEPT]
    assert set(answers[probe]) == {Answer.KEPT, Answer.STORED}
    assert (Answer.STORED, said["id"].encode()) in [each for _, batch in heard for each in batch]


def test_bad_settings_end_with_78() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facefleet.probe"],
        env=environment({"FACEFLEET_BROKER": "http://edge"}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 78
    assert "FACEFLEET_DEVICE is missing" in done.stderr
    assert "FACEFLEET_BROKER=" in done.stderr
