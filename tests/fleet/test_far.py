"""Devices that only dial out: enrolled by one command, updated in rings, and stopped by what is bad."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from facefleet.puller.faces import FEW

from tests.delivery.wire import Wire
from tests.fleet import site as sites
from tests.fleet.hosts.lab import FOLDER
from tests.fleet.site import CLIP, REPO, Played, Running, Site
from tests.integration.waiting import await_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(2400)]

CANARY, SECOND = "jetson-01", "jetson-02"
FAR = REPO / ".cache/far/hosts.yml"
"""Beside no other inventory, and as deep below the repository as inventory/lab."""
VARIABLES = {
    "pull_enabled": True,
    "pull_ring": f"{{{{ 1 if inventory_hostname == '{SECOND}' else 0 }}}}",
    "pull_soak_s": 1,
    "pull_every_s": 86400,  # the tests say when
    "images_platform": "amd64",
    "edge_gate_s": 30,
}
MIB = 1024 * 1024
TRICKLE = 16 * 1024
"""Of an update in a second, while faces wait."""
_COMMAND = re.compile(r"^ +(curl .* sh enrol\.sh .*)\n", re.MULTILINE)
"""What enrol.yml prints for whoever stands before the device, in one line, whole."""


class FarSite:
    """A site whose devices refuse ssh; the operator has playbooks, and somebody there a shell."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.commands: dict[str, str] = {}
        """What enrolled each device."""

    def play(self, *arguments: str) -> Played:
        """Run a playbook as the operator does."""
        return self.site.play("-i", str(FAR), "-e", json.dumps(VARIABLES), *arguments)

    def promote(self, *arguments: str) -> Played:
        return self.play("playbooks/promote.yml", *arguments).succeeded()

    def enrol(self, device: str) -> str:
        """Open an enrolment, run on the device the one command that is printed, and return that."""
        names = ",".join(("control", sites.CLOUD, *self.site.devices))
        playing = Running(
            FOLDER / f"enrol-{device}.log",
            *("-i", "inventory/lab", "-i", str(FAR), "-e", json.dumps(VARIABLES), "--limit", names),
            *("playbooks/enrol.yml", "-e", f"enrol_device={device}"),
            environment=self.site.account.environment,
        )
        playing.await_that(lambda: _COMMAND.search(playing.output) is not None, "it prints the command", 900)
        found = _COMMAND.search(playing.output)
        assert found
        said = self.run(device, found[1])
        played = playing.end()
        assert "runs what it shall" in said, f"{said[-4000:]}\n{played.output[-4000:]}"
        played.succeeded()
        return found[1]

    def run(self, device: str, command: str) -> str:
        """Type the command into a shell there, and return what it says."""
        return self.site.lab[device].run("sh", "-c", f"cd /root && {{ {command}; }} 2>&1", check=False)

    def state(self) -> dict[str, Any]:
        """Return how all stand, as the depot says."""
        depot = ("docker", "exec", "facefleet-cloud-depot-1", "python3", "-m", "facefleet.depot", "state")
        said: dict[str, Any] = json.loads(self.site.ask("cloud", *depot))
        return said

    def pull(self, device: str) -> dict[str, Any]:
        """Let the device look now, and return how it stands then."""
        self.site.lab[device].run("systemctl", "start", "facefleet-pull.service", check=False)
        said: dict[str, Any] = json.loads(self.site.ask(device, "cat", "/opt/facefleet/edge/shown/pull.json"))
        return said

    def await_open(self, device: str) -> None:
        """Wait until a device's ring may have what was ordered last."""
        await_until(lambda: self.state()["orders"][device]["open"], 30, f"the ring of {device} is open")

    def edition(self, played: Played) -> str:
        found = re.search(r"Edition (\S+?): ordered", played.output)
        assert found, played.output[-3000:]
        return found[1]

    def fetched(self, device: str) -> int:
        """Return how many bytes of blobs a device has; what is on its way to it is not counted."""
        listed = self.site.ask(device, "sh", "-c", "cat /var/cache/facefleet/pull/blobs/* | wc --bytes")
        return int(listed)

    def sent(self) -> int:
        """Return how many bytes of blobs the depot sent, as it counts itself."""
        read = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
        said = self.site.ask("cloud", "docker", "exec", "facefleet-cloud-depot-1", "python3", "-c", read)
        found = re.search(r"^facefleet_depot_sent_bytes_total ([0-9.e+]+)$", said, re.MULTILINE)
        assert found, said
        return int(float(found[1]))


@pytest.fixture(scope="module")
def far() -> Iterator[FarSite]:
    """A cloud stack, and devices with the engine's packages that refuse ssh."""
    if not CLIP.exists():
        pytest.skip(f"{CLIP} is not there: `make fleet` fetches it")
    FAR.parent.mkdir(parents=True, exist_ok=True)
    FAR.write_text(json.dumps({"far": {"hosts": dict.fromkeys((CANARY, SECOND))}}))
    with sites.bare(CANARY, SECOND, baked=True) as site:
        site.place_video()
        for device in (CANARY, SECOND):
            site.lab[device].run("sh", "-c", "apt-get -qq update && apt-get -qq install -y curl iptables")
            site.lab[device].run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT")
        far = FarSite(site)
        far.play("site.yml").succeeded()
        yield far


@pytest.fixture(scope="module")
def enrolled(far: FarSite) -> FarSite:
    """Both devices, enrolled."""
    for device in (CANARY, SECOND):
        far.commands[device] = far.enrol(device)
    far.promote()
    for device in (CANARY, SECOND):
        assert far.pull(device)["state"] == "ok"
    return far


def test_a_device_that_only_dials_out_gets_its_stack_and_its_faces_arrive(enrolled: FarSite) -> None:
    for device in (CANARY, SECOND):
        assert enrolled.site.lab[device].reach([22]) == []
        enrolled.site.await_faces(device)
        mode = enrolled.site.ask(
            device, "stat", "-L", "--format", "%u %a", "/etc/facefleet/identity/host.key"
        )
        assert mode.split() == ["10001", "400"]


def test_a_second_promotion_makes_no_edition_and_a_second_run_changes_nothing(enrolled: FarSite) -> None:
    assert "ordered already, nothing changed" in enrolled.promote().output
    enrolled.pull(CANARY)
    before = enrolled.site.containers(CANARY)
    assert enrolled.pull(CANARY)["state"] == "ok"
    assert enrolled.site.containers(CANARY) == before
    log = enrolled.site.ask(
        CANARY, "journalctl", "-u", "facefleet-pull", "-o", "cat", "--no-pager", "-n", "30"
    )
    assert re.search(rf"^{CANARY}\s*: ok=\d+\s+changed=0", log, re.MULTILINE), log


def test_a_secret_is_used_up_by_the_first_request(enrolled: FarSite) -> None:
    lab, device = enrolled.site.lab, SECOND
    lab[device].run("mv", "/etc/facefleet/identity", "/etc/facefleet/kept")
    try:
        said = enrolled.run(device, enrolled.commands[device])
        assert "another request was made with this secret before" in said
    finally:
        lab[device].run("rm", "-rf", "/etc/facefleet/identity")
        lab[device].run("mv", "/etc/facefleet/kept", "/etc/facefleet/identity")


def test_a_bad_edition_stops_at_the_canary_and_a_good_one_goes_to_both(
    enrolled: FarSite, bad_services: Path
) -> None:
    site = enrolled.site
    before = {device: site.release(device) for device in (CANARY, SECOND)}
    ran = site.containers(SECOND)
    bad = enrolled.edition(enrolled.promote("-e", f"images_context={bad_services}"))
    said = enrolled.pull(CANARY)
    assert (said["state"], said["wants"]) == ("failed", bad)
    assert "no receipt came" in said["why"]
    assert f"back at release {before[CANARY]}" in said["why"]
    assert site.release(CANARY) == before[CANARY]
    assert enrolled.pull(SECOND)["wants"] != bad
    assert site.containers(SECOND) == ran
    again = enrolled.pull(CANARY)
    assert "Tried once, again after" in again["why"], "a bad release is tried again at once"
    assert f"closed: {CANARY} failed at it" in enrolled.promote("-e", f"images_context={bad_services}").said
    seen = site.faces(CANARY)
    site.await_faces(CANARY, more_than=seen)
    good = enrolled.edition(enrolled.promote("-e", "edge_window=400"))
    for device in (CANARY, SECOND):
        enrolled.await_open(device)  # a fast machine asks within the canary's second of soaking
        said = enrolled.pull(device)
        assert (said["state"], said["edition"]) == ("ok", good), (device, said)
        assert site.release(device) != before[device]


def test_clock_updates_and_firewall_are_kept_too_and_are_no_fault_of_a_release(enrolled: FarSite) -> None:
    site, device = enrolled.site, CANARY
    table = ("nft", "list", "table", "inet", "facefleet_firewall")
    wrong = {"security_updates_enabled": True, "security_updates_reboot_time": "25:00"}
    edition = enrolled.edition(enrolled.promote("-e", json.dumps(wrong)))
    said = enrolled.pull(device)
    assert (said["state"], said["edition"]) == ("waiting", edition)
    assert 'is 25:00; give it as "04:30"' in said["why"]
    closed = {"firewall_enabled": True, "firewall_ssh_from": ["192.0.2.0/24"]}
    edition = enrolled.edition(enrolled.promote("-e", json.dumps(closed)))
    said = enrolled.pull(device)
    assert (said["state"], said["edition"]) == ("ok", edition)
    assert "192.0.2.0/24" in site.ask(device, *table)
    seen = site.faces(device)
    site.await_faces(device, more_than=seen)
    enrolled.promote()
    assert enrolled.pull(device)["state"] == "ok"
    assert "facefleet_firewall" not in site.ask(device, "nft", "list", "tables")


def test_a_changed_line_costs_what_it_weighs(enrolled: FarSite, own_services: Path) -> None:
    with (own_services / "facefleet/logger/__init__.py").open("a") as file:
        file.write(f"# {time.time()}\n")
    enrolled.promote("-e", f"images_context={own_services}")
    wire, blobs = Wire(enrolled.site.lab[CANARY]), enrolled.sent()
    before, began = wire.received + wire.sent, time.monotonic()
    assert enrolled.pull(CANARY)["state"] == "ok"
    took, went = time.monotonic() - began, wire.received + wire.sent - before
    sys.stderr.write(
        f"\na changed line of the logger: {went:,} bytes at the interface, a camera's faces among them, "
        f"{enrolled.sent() - blobs:,} of the update; {took:.0f} s\n"
    )
    assert went < 2_000_000


def test_faces_that_waited_have_the_link_before_an_update(enrolled: FarSite, own_services: Path) -> None:
    site, device, link = enrolled.site, CANARY, 400_000
    host = site.lab[device]
    camera = {
        "name": "lobby",
        "source": "/srv/videos/lobby.mp4",
        "loop": True,
        "first_shot_s": 0.2,
        "repeat_s": 0.2,
    }
    busy: dict[str, object] = {"edge_cameras": [camera]}
    enrolled.promote("-e", json.dumps(busy))
    assert enrolled.pull(device)["state"] == "ok"
    away = ("FORWARD", "-p", "tcp", "--dport", "8883", "-j", "REJECT", "--reject-with", "tcp-reset")
    host.run("iptables", "-I", *away)
    (own_services / "facefleet/logger/ballast").write_bytes(os.urandom(24 * MIB))
    enrolled.promote("-e", json.dumps(busy | {"images_context": str(own_services)}))
    await_until(lambda: site.held(device) >= 300, 300, "300 faces wait")
    host.run("touch", "/opt/facefleet/edge/paused/lobby")
    waited, before = site.held(device), enrolled.fetched(device)
    with ThreadPoolExecutor(1) as hand:
        with Wire(host).throttled(link):
            host.run("iptables", "-D", *away)
            began = time.monotonic()
            pulling = hand.submit(enrolled.pull, device)
            await_until(lambda: site.held(device) <= FEW, 600, "the faces are there")
            took, came = time.monotonic() - began, enrolled.fetched(device) - before
            assert not pulling.done()
        assert pulling.result()["state"] == "ok"
    host.run("rm", "/opt/facefleet/edge/paused/lobby")
    sys.stderr.write(f"\n{waited} faces in {took:.0f} s, and {came:,} bytes of the update meanwhile\n")
    # We may see a second or two late that no more than a few wait, with which it goes on at full speed.
    assert came < TRICKLE * took + 2 * link


def test_a_puller_that_is_broken_does_not_keep_its_successor_away(enrolled: FarSite) -> None:
    """The one that last did a whole run does the next one, and with it the host gets what it shall have."""
    site, device, file = enrolled.site, CANARY, "/opt/facefleet/pull/compose.yaml"
    sound = site.ask(device, "cat", file)
    (logger,) = set(re.findall(r"facefleet/logger:\w+", site.compose(device, "edge", "config")))
    site.lab[device].run("sed", "-i", f"s#facefleet/puller:.*#{logger}#", file)
    assert enrolled.pull(device)["state"] == "ok"
    log = site.ask(device, "journalctl", "-u", "facefleet-pull", "-o", "cat", "--no-pager", "-n", "500")
    assert "the one that last did a whole run looks for an order now" in log
    assert site.ask(device, "cat", file) == sound


def test_a_link_that_is_cut_and_slow_goes_on_where_it_was(enrolled: FarSite) -> None:
    """The engine forgot all: the whole order comes again, over a link that is cut four times."""
    site, device = enrolled.site, CANARY
    site.compose(device, "edge", "down")
    ours = "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep ^facefleet/ | grep -v /puller:"
    site.lab[device].run("sh", "-c", f"{ours} | xargs docker image rm --force")
    before = enrolled.sent()
    cut = ("OUTPUT", "-p", "tcp", "--dport", "8884", "-j", "REJECT", "--reject-with", "tcp-reset")
    with Wire(site.lab[device]).throttled(5_000_000), ThreadPoolExecutor(1) as hand:
        pulling = hand.submit(enrolled.pull, device)
        cuts = 0
        while not pulling.done() and cuts < 4:
            time.sleep(4)
            site.lab[device].run("iptables", "-I", *cut)
            time.sleep(3)
            site.lab[device].run("iptables", "-D", *cut)
            cuts += 1
        said = pulling.result()
    assert said["state"] == "ok", said
    sent = enrolled.sent() - before
    log = site.ask(device, "journalctl", "-u", "facefleet-pull", "-o", "cat", "--no-pager", "-n", "2000")
    came = int(re.findall(r"event=fetched bytes=(\d+)", log)[-1])
    sys.stderr.write(f"\n{came:,} bytes came as {sent:,} over a link that was cut {cuts} times\n")
    assert came > 32 * MIB
    # What was on its way when the link was cut is lost: no more than its buffers hold.
    assert came <= sent < came + cuts * 4 * MIB
