"""The watch at a real broker: what devices say is a roster, metrics, and survives a restart."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from docker import DockerClient
from facefleet.fleet.roster import Entry, Roster
from facefleet.messaging.link import Link, Outcome, Will

from tests.integration.conftest import MakeBroker, MakeLink, MakeService
from tests.integration.containers import Broker
from tests.integration.services import Service
from tests.integration.waiting import await_until, free_port
from tests.templates import CLOUD, ROOT, defaults, rendered

ONLINE = {"state": "online", "cloud": "connected", "held": 2, "cameras": {"lobby": {"state": "online"}}}
OFFLINE = b'{"state": "offline"}'
RULES = {"cloud_topic_prefix": "face_detection", "access_revoked": ["jetson-02"]}
REVOKED = "{{ revoke_host }}"


class Watched:
    """A watch, and what it shows."""

    def __init__(self, make: MakeService, broker: Broker, folder: Path) -> None:
        self.port = free_port()
        settings = {
            "FACEFLEET_BROKER": broker.url,
            "FACEFLEET_ROSTER_FILE": str(folder / "roster.json"),
            "FACEFLEET_FLEET_PORT": str(self.port),
        }
        self._make, self._settings = make, settings

    def start(self) -> Service:
        return self._make("watch", self._settings)

    def page(self, path: str = "/fleet.json") -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def entry(self, device: str) -> Entry | None:
        return Roster.from_json(self.page()).get(device)

    def await_state(self, device: str, state: str) -> Entry:
        def seen() -> Entry | None:
            entry = self.entry(device)
            return entry if entry and entry.state == state else None

        entry = await_until(seen, 10, f"{device} is {state}")
        assert entry is not None
        return entry

    def await_gone(self, device: str) -> None:
        await_until(lambda: self.entry(device) is None, 10, f"{device} is gone")


@pytest.fixture
def watched(broker: Broker, make_service: MakeService, tmp_path: Path) -> Watched:
    return Watched(make_service, broker, tmp_path)


@pytest.fixture
def tell(broker: Broker, make_link: MakeLink, device: str) -> Iterator[Callable[..., None]]:
    """Say a status as the device; what it leaves at the broker goes with the test."""
    links: list[Link] = []

    def say(payload: bytes | dict[str, object], name: str = device) -> None:
        if not links:
            links.append(make_link(broker.port))
            await_until(lambda: links[0].connected, 10, "connected")
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        links[0].publish(f"status/{name}", content, qos=1, retain=True)

    yield say
    say(b"")


def test_what_a_device_says_is_shown_at_once_and_its_last_will_too(
    watched: Watched, broker: Broker, make_link: MakeLink, device: str, tell: Callable[..., None]
) -> None:
    service = watched.start()
    service.await_healthy()
    tell(ONLINE)
    entry = watched.await_state(device, "online")
    assert (entry.since_exact, entry.device.held) == (True, 2)
    assert service.metric("facefleet_device_online") >= 1

    mortal = make_link(broker.port, will=Will(f"status/{device}", OFFLINE))
    await_until(lambda: mortal.connected, 10, "connected")
    assert mortal._wire is not None
    mortal.loop.call(mortal._wire.break_off)
    entry = watched.await_state(device, "offline")
    assert entry.device.held == 2
    assert urllib.request.urlopen(
        f"http://127.0.0.1:{watched.port}/fleet.json"
    ).headers.get_content_type() == ("application/json")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        watched.page("/")


def test_since_when_survives_a_restart_and_what_was_missed_is_before(
    watched: Watched, device: str, tell: Callable[..., None]
) -> None:
    service = watched.start()
    service.await_healthy()
    tell(ONLINE)
    first = watched.await_state(device, "online")
    assert service.stop() == 0

    service.start()
    service.await_healthy()
    again = watched.await_state(device, "online")
    assert (again.since, again.since_exact) == (first.since, True)

    assert service.stop() == 0
    tell(OFFLINE)
    service.start()
    service.await_healthy()
    assert not watched.await_state(device, "offline").since_exact


def test_an_empty_status_takes_the_device_from_the_roster_and_from_the_metrics(
    watched: Watched, device: str, tell: Callable[..., None]
) -> None:
    service = watched.start()
    service.await_healthy()
    tell(ONLINE)
    watched.await_state(device, "online")
    tell(b"")
    watched.await_gone(device)

    service.stop()
    service.start()
    service.await_healthy()
    watched.await_gone(device)


def test_a_device_that_says_far_too_much_is_not_heard_and_stops_nobody(
    watched: Watched, device: str, tell: Callable[..., None]
) -> None:
    service = watched.start()
    service.await_healthy()
    tell(b"{" * 8_000_000)
    other = f"{device}-b"
    tell(ONLINE, other)
    watched.await_state(other, "online")
    assert watched.entry(device) is None
    assert service.running
    tell(b"", other)


def test_without_its_broker_it_says_so_and_comes_back(
    make_service: MakeService, make_broker: MakeBroker, tmp_path: Path
) -> None:
    broker = make_broker()
    broker.start()
    watched = Watched(make_service, broker, tmp_path)
    service = watched.start()
    service.await_healthy()
    assert service.metric("facefleet_watch_connected") == 1

    broker.kill()
    await_until(lambda: service.metric("facefleet_watch_connected") == 0, 10, "it is noticed")
    await_until(lambda: any("broker" in problem for problem in service.problems()), 5, "and shown")
    broker.start()
    service.await_healthy()


def forgetting() -> list[str]:
    """Return the command of playbooks/revoke.yml."""
    (task,) = yaml.safe_load((ROOT / "playbooks/revoked/forget_status.yml").read_text())
    words: list[str] = task["community.docker.docker_compose_v2_exec"]["argv"]
    return words


def test_revoking_takes_the_device_out_under_the_rules_that_we_ship(
    engine: DockerClient,
    images: dict[str, str],
    make_service: MakeService,
    make_link: MakeLink,
    tmp_path: Path,
) -> None:
    broker = Broker(engine, images["broker"], tmp_path / "broker", guarded=True)
    rules = rendered(
        CLOUD / "acl.j2", **defaults("cloud") | RULES, groups={"edge": ["jetson-01", "jetson-02"]}
    )
    (tmp_path / "broker/acl").unlink()
    (tmp_path / "broker/acl").write_text(rules)
    try:
        broker.start()
        watched = Watched(make_service, broker, tmp_path)
        watched.start().await_healthy()
        link = make_link(broker.port)
        await_until(lambda: link.connected, 10, "connected")
        outcomes: list[Outcome] = []
        link.publish("status/jetson-02", json.dumps(ONLINE).encode(), qos=1, retain=True)
        link.publish("face_detection/jetson-02/lobby", b"face", qos=1, done=outcomes.append)
        watched.await_state("jetson-02", "online")
        assert outcomes == [Outcome.REFUSED]

        ended = broker._container.exec_run([word.replace(REVOKED, "jetson-02") for word in forgetting()])
        assert ended.exit_code == 0, ended.output
        watched.await_gone("jetson-02")
    finally:
        broker.remove()
