"""Images to a device: bytes at its own interface, and seconds, against what one would do instead, in one run.

Ours is the whole play: what Ansible sends of itself counts too. The others are bare commands:
`docker save | ssh docker load` of the images that changed, and `docker pull` of the same from a registry
beside. A link of 2 MB/s is made of `tc tbf`.
"""

import contextlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.bench.table import Row, Target
from tests.delivery.depot import Depot
from tests.delivery.wire import Wire
from tests.fleet.hosts import Lab
from tests.fleet.hosts.lab import NUMBER
from tests.fleet.site import REPO

DEVICE = "jetson-01"
EDGE = ("broker", "logger", "forwarder", "detector")
BY_REGISTRY = ("-e", "deliver_transport=registry")
REGISTRY_PORT = 5000
THIN = 2_000_000
MB = 1e6
ONE_LINE_MOST_MB = 2.0

MODEL = "&& sha256sum --check sum"
"""The end of the step that makes the model. Another one is as large, and compresses as badly."""
OTHER_MODEL = f"{MODEL} \\\n && head -c 232589 /dev/urandom > /model/face_detection_yunet_2023mar.onnx"


class Cost(NamedTuple):
    """What one way took."""

    megabytes: float
    seconds: float


class Change(NamedTuple):
    """A release: what is done to the sources, and which images are others then."""

    what: str
    make: Callable[[Depot], None]
    images: tuple[str, ...]


def _line(service: str, *images: str) -> Change:
    return Change(f"a line of {service}", lambda depot: depot.edit(service), images or (service,))


CHANGES = (
    _line("logger"),
    _line("forwarder"),
    _line("detector"),
    _line("messaging", "logger", "forwarder", "detector"),
    Change("the model", lambda depot: depot.replace("Dockerfile", MODEL, OTHER_MODEL), ("detector",)),
)
THIN_CHANGE = CHANGES[1]


def run(*, smoke: bool) -> Iterable[Row]:
    """Bring hosts up, then measure each case in turn."""
    folder = REPO / ".cache/delivery"
    name, subnet = f"facefleet-delivery-{NUMBER}", f"172.31.{240 - NUMBER}.0/24"
    with Lab("cloud", DEVICE, baked=True, name=name, subnet=subnet, folder=folder) as lab:
        yard = _Yard(Depot(lab, folder))
        try:
            yard.prepare()
            if not smoke:
                yield from yard.compare("first install", EDGE)
            yard.bring()
            for change in CHANGES[:1] if smoke else CHANGES:
                yield from yard.release(change, most_mb=ONE_LINE_MOST_MB)
            if not smoke:
                with yard.wire.throttled(THIN):
                    yield from yard.release(THIN_CHANGE, where=", 2 MB/s")
                    yard.depot.empty(DEVICE)
                    yield from yard.compare("first install, 2 MB/s", EDGE)
        finally:
            yard.depot.leave()


class _Yard:
    """The device, and the three ways to it."""

    def __init__(self, depot: Depot) -> None:
        self.depot = depot
        self.host = depot.lab[DEVICE]
        self.wire = Wire(self.host)
        self._images = ("-e", json.dumps({"depot_images": EDGE}))

    def prepare(self) -> None:
        """Make engines, a registry and images; the device trusts the registry, and facts are known."""
        self.depot.play("playbooks/hosts.yml", "playbooks/identity.yml", "--limit", "cloud:edge").succeeded()
        self.depot.play("playbooks/registry.yml").succeeded()
        self._build()
        self.depot.deliver(*self._images, *BY_REGISTRY).succeeded()
        self.depot.empty(DEVICE)

    def _build(self) -> None:
        self.depot.play("playbooks/images.yml", *BY_REGISTRY).succeeded()

    def bring(self) -> None:
        """Let the device have all that is built."""
        self.depot.deliver(*self._images).succeeded()
        self.depot.tidy()

    def release(self, change: Change, where: str = "", most_mb: float | None = None) -> Iterable[Row]:
        """Change the sources, build, and bring what is new in each way; the device has it afterwards."""
        change.make(self.depot)
        self._build()
        yield from self.compare(change.what + where, change.images, most_mb)
        self.bring()

    def compare(self, what: str, images: tuple[str, ...], most_mb: float | None = None) -> Iterable[Row]:
        """Bring some images in each way to the device as it is now; it is the same afterwards."""
        before = self.depot.on(DEVICE)
        ours = self._measured(self._deliver)
        refs = [ref for ref in self.depot.wanted() if ref.split("/")[1].split(":")[0] in images]
        self._return_to(before)
        pushed = self._measured(lambda: self._save_and_load(refs))
        self._return_to(before)
        pulled = self._measured(lambda: self._pull(refs))
        self._return_to(before)
        for against, other in (("save | ssh load", pushed), ("plain pull", pulled)):
            yield Row("delivery", what, "MB", [ours.megabytes], [other.megabytes], against)
            yield Row("delivery", what, "s", [ours.seconds], [other.seconds], against)
        if most_mb is not None:
            yield Row("delivery", what, "MB", [ours.megabytes], target=Target("at most", most_mb))

    def _measured(self, way: Callable[[], None]) -> Cost:
        began, before = time.monotonic(), self.wire.received + self.wire.sent
        way()
        return Cost((self.wire.received + self.wire.sent - before) / MB, time.monotonic() - began)

    def _deliver(self) -> None:
        self.depot.deliver(*self._images).succeeded()
        self.depot.tidy()

    def _save_and_load(self, refs: list[str]) -> None:
        load = shlex.join(self.depot.lab.key.ssh(self.host.address, "sudo docker load --quiet"))
        subprocess.run(["sh", "-c", f"docker save {shlex.join(refs)} | {load}"], check=True, timeout=900)

    def _pull(self, refs: list[str]) -> None:
        for ref in refs:
            self.host.run("docker", "pull", "--quiet", f"{self._registry}/{ref}")

    @property
    def _registry(self) -> str:
        return f"{self.depot.lab['cloud'].address}:{REGISTRY_PORT}"

    def _return_to(self, before: dict[str, str]) -> None:
        """Take from the device what it did not have."""
        listed = self.host.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
        for ref in listed:
            if ref not in before:
                with contextlib.suppress(AssertionError):  # its last name was taken a moment ago
                    self.host.run("docker", "image", "rm", ref)
        assert self.depot.on(DEVICE) == before
