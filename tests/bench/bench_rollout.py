"""A run without changes and a release, on 1, 3 and 10 test hosts, against a plain ssh loop on the same hosts.

The loop is what people write first: copy the Compose file, `docker compose up --detach`, host after host. It
knows no check, no canary, no gate, no way back. It pulls nothing, nor do we: the images are there.
"""

import subprocess
import time
from collections.abc import Iterable, Sequence

from tests.bench.table import Row, Target
from tests.delivery.wire import Wire
from tests.fleet import site as sites
from tests.fleet.site import CLOUD, Site

DEVICES = tuple(f"jetson-{number:02}" for number in range(1, 11))
NO_CAMERAS = ("-e", '{"edge_cameras": []}')  # ten detectors would be all that two cores do
COMPOSE = "/opt/facefleet/edge/compose.yaml"


def run(*, smoke: bool) -> Iterable[Row]:
    devices = DEVICES[:2] if smoke else DEVICES
    sizes = (1, 2) if smoke else (1, 3, 10)
    rounds = 1 if smoke else 3
    with sites.bare(*devices, baked=True) as site:
        site.play("site.yml", *NO_CAMERAS).succeeded()
        idle = {size: [_idle(site, devices[:size]) for _ in range(rounds)] for size in sizes}
        tasks = {size: [float(count) for _, count in idle[size]] for size in sizes}
        loop = {size: [_loop(site, devices[:size]) for _ in range(rounds)] for size in sizes}
        for size in sizes:
            seconds = [each for each, _ in idle[size]]
            yield Row("rollout", f"site.yml, no change, {size} devices", "s", seconds, loop[size], "ssh loop")
            yield Row("rollout", f"site.yml, no change, {size} devices: tasks", "", tasks[size])
        most = sizes[-1]
        yield Row(
            "rollout",
            f"no change, {most} devices against 1",
            "s",
            [each for each, _ in idle[most]],
            [each for each, _ in idle[1]],
            "1 device",
            Target("at most", 2.0),
        )
        for size in sizes:
            wire = Wire(site.lab[devices[0]])
            before = wire.received + wire.sent
            ours = _release(site, devices[:size], window=300 + size)
            between = wire.received + wire.sent
            theirs = _loop(site, devices[:size], window=400 + size)
            ended = wire.received + wire.sent
            yield Row("rollout", f"a release, {size} devices", "s", [ours], [theirs], "ssh loop")
            moved = ([(between - before) / 1e6], [(ended - between) / 1e6])
            yield Row(
                "rollout", "the same: to and from one of them, without images", "MB", *moved, "ssh loop"
            )


def _play(site: Site, devices: Sequence[str], playbook: str, *more: str) -> tuple[float, int]:
    played = site.play(playbook, *NO_CAMERAS, *more, limit=["control", CLOUD, *devices]).succeeded()
    return played.seconds, played.tasks


def _idle(site: Site, devices: Sequence[str]) -> tuple[float, int]:
    return _play(site, devices, "site.yml")


def _release(site: Site, devices: Sequence[str], window: int) -> float:
    return _play(site, devices, "playbooks/edge.yml", "-e", f"edge_window={window}")[0]


def _loop(site: Site, devices: Sequence[str], window: int | None = None) -> float:
    """Return the seconds of the plain loop; with a window, for a Compose file that differs."""
    texts = {
        device: site.lab[device].run("sed", f's/FACEFLEET_WINDOW: .*/FACEFLEET_WINDOW: "{window}"/', COMPOSE)
        for device in devices
    }
    began = time.monotonic()
    for device in devices:
        login = site.lab.key.ssh(site.lab[device].address)
        if window:
            _ssh(login, "sudo tee /root/compose.yaml > /dev/null", texts[device])
            _ssh(login, "sudo docker compose --file /root/compose.yaml up --detach --remove-orphans")
        else:
            _ssh(login, "sudo docker compose --project-directory /opt/facefleet/edge up --detach")
    return time.monotonic() - began


def _ssh(login: Sequence[str], command: str, text: str = "") -> None:
    subprocess.run([*login, command], input=text, text=True, check=True, capture_output=True, timeout=300)
