"""The edge side: broker, forwarder, and the load where the detector stands, on the disk of a plan."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from docker.types import Mount

from tests.chaos.cloud import PREFIX
from tests.chaos.disk import MIB, CuttableDisk, SmallDisk
from tests.chaos.ledger import Captured, read_log
from tests.chaos.uplink import Uplink
from tests.chaos.workshop import STATE, Part, Spec, Workshop, bound, given_away, memory_of
from tests.integration.containers import MOSQUITTO_CONF

DEVICE = "chaos-1"
HERE = Path(__file__).resolve().parent
RECEIPT_TIMEOUT_S = 5.0
RETRY_MOST_S = 5.0
"""Shorter than the defaults: a fault here lasts seconds, not hours."""

WhenFull = Literal["reject", "drop_oldest", "drop_lowest_score"]
Images = Mapping[str, str]


@dataclass(frozen=True)
class EdgePlan:
    """How the edge side is told to be."""

    qos: int = 1
    when_full: WhenFull = "reject"
    spool_max_bytes: int = 1024 * MIB
    disk: Literal["volumes", "small", "cuttable"] = "volumes"
    small_disk_bytes: int = 0
    old: bool = False
    """Begins with the images of the previous release."""


class Load:
    """The load of one row, seen from outside its container."""

    def __init__(self, part: Part, camera: str, folder: Path) -> None:
        self.part = part
        self.camera = camera
        self._folder = folder
        self._log = folder / "captured.log"

    def rate(self, events_s: float) -> None:
        draft = self._folder / "rate.new"
        draft.write_text(str(events_s))
        draft.replace(self._folder / "rate")

    def captured(self) -> list[Captured]:
        return read_log(self._log.read_text()) if self._log.exists() else []

    def accounts(self, newer_than: float = 0.0) -> dict[str, Any]:
        """Return what the outbox last said of itself; empty when it said nothing since that time."""
        try:
            said: dict[str, Any] = json.loads((self._folder / "accounts.json").read_text())
        except FileNotFoundError:
            return {}
        return said if said["at"] > newer_than else {}

    def position(self) -> int:
        """Return how much of the log there is now."""
        return self._log.stat().st_size

    def take_back(self, position: int) -> int:
        """Cut the log off: what came later was lost with the power. Returns how many lines that were."""
        data = self._log.read_bytes()
        self._log.write_bytes(data[:position])
        return data[position:].count(b"\n")


class Edge:
    """All of a device. Its parts are made anew by `upgrade`, on the state that is there."""

    def __init__(self, workshop: Workshop, images: Images, plan: EdgePlan, folder: Path) -> None:
        self._workshop = workshop
        self._images = images
        self._plan = plan
        self._folder = folder
        folder.mkdir(parents=True)
        self._conf = folder / "mosquitto.conf"
        self._conf.write_text(MOSQUITTO_CONF)
        self.small: SmallDisk | None = None
        self.cuttable: CuttableDisk | None = None
        if plan.disk == "small":
            self.small = SmallDisk(folder / "disk", plan.small_disk_bytes)
        elif plan.disk == "cuttable":
            self.cuttable = CuttableDisk(folder / "disk")
        self._volumes: dict[str, Mount] = {}
        self.broker = self._make_broker()
        self.forwarder = self._make_forwarder(("edge", "wan"))
        self.load: Load | None = None
        self._sizes = (0, 0)

    def _home(self, part: str) -> Mount:
        """Return where a part keeps its state."""
        if self.cuttable:
            return bound(self.cuttable.folder(part), STATE)
        if self.small and part == "forwarder":
            return bound(self.small.folder(part), STATE)
        if part not in self._volumes:
            self._volumes[part] = self._workshop.volume(part)
        return self._volumes[part]

    def _make_broker(self) -> Part:
        return self._workshop.part(
            "edge-broker",
            Spec(
                image=self._images["broker"],
                memory=memory_of("edge", "broker"),
                networks=("edge",),
                mounts=[
                    bound(self._conf, "/etc/mosquitto/mosquitto.conf", read_only=True),
                    self._home("broker"),
                ],
            ),
        )

    def _make_forwarder(self, networks: tuple[str, ...]) -> Part:
        return self._workshop.part(
            "edge-forwarder",
            Spec(
                image=self._images["forwarder"],
                memory=memory_of("edge", "forwarder"),
                networks=networks,
                environment={
                    "FACEFLEET_BROKER": "mqtt://edge-broker:1883",
                    "FACEFLEET_CLOUD_BROKER": "mqtt://cloud-broker:1883",
                    "FACEFLEET_DEVICE": DEVICE,
                    "FACEFLEET_TOPIC_PREFIX": PREFIX,
                    "FACEFLEET_QOS": str(self._plan.qos),
                    "FACEFLEET_SPOOL_MAX_BYTES": str(self._plan.spool_max_bytes),
                    "FACEFLEET_SPOOL_WHEN_FULL": self._plan.when_full,
                    "FACEFLEET_RECEIPT_TIMEOUT_S": str(RECEIPT_TIMEOUT_S),
                    "FACEFLEET_RETRY_MOST_S": str(RETRY_MOST_S),
                },
                mounts=[self._home("forwarder")],
            ),
        )

    def start(self) -> None:
        self.broker.start()
        self.forwarder.start()

    def begin_load(self, camera: str, least_bytes: int, most_bytes: int) -> Load:
        """Make and start a load with an outbox of its own; it waits for a rate."""
        folder = given_away(self._folder / camera)
        load = Load(self._make_load(camera, least_bytes, most_bytes, folder), camera, folder)
        self.load = load
        self._sizes = least_bytes, most_bytes
        load.rate(0)
        load.part.start()
        return load

    def _make_load(self, camera: str, least_bytes: int, most_bytes: int, folder: Path) -> Part:
        told = {
            "device": DEVICE,
            "camera": camera,
            "broker": "mqtt://edge-broker:1883",
            "topic_prefix": PREFIX,
            "qos": self._plan.qos,
            "outbox_max_bytes": 1024 * MIB,
            "outbox_when_full": "reject",
            "receipt_timeout_s": RECEIPT_TIMEOUT_S,
            "retry_most_s": RETRY_MOST_S,
            "least_bytes": least_bytes,
            "most_bytes": most_bytes,
        }
        return self._workshop.part(
            "edge-detector",
            Spec(
                image=self._images["forwarder"],
                memory=memory_of("edge", "detector"),
                networks=("edge",),
                environment={"CHAOS_LOAD": json.dumps(told)},
                mounts=[
                    bound(HERE / "load.py", "/chaos/load.py", read_only=True),
                    bound(folder, "/ledger"),
                    self._home("detector"),
                ],
                command=["python3", "/chaos/load.py"],
            ),
        )

    def end_load(self) -> None:
        if self.load:
            self.load.part.remove()
            self.load = None

    def uplink(self) -> Uplink:
        return Uplink(self.forwarder, self._workshop.subnet("wan"))

    def cut_power(self, after_s: float) -> int:
        """Cut and restore the power; the services run on for a moment, into what will be lost.

        Returns:
            How many captures came after the cut.
        """
        assert self.cuttable
        assert self.load
        position = self.load.position()
        self.cuttable.cut()
        time.sleep(after_s)
        for part in (self.load.part, self.forwarder, self.broker):
            part.kill()
        later = self.load.take_back(position)
        self.cuttable.power_on()
        for part in (self.broker, self.forwarder, self.load.part):
            part.start()
        return later

    def upgrade(self, images: Images) -> None:
        """Replace all containers as a deployment does; the forwarder comes back without its uplink."""
        assert self.load
        for part in (self.load.part, self.forwarder, self.broker):
            part.stop()
            part.remove()
        self._images = images
        self.broker = self._make_broker()
        self.forwarder = self._make_forwarder(("edge",))
        self.load.part = self._make_load(self.load.camera, *self._sizes, self._folder / self.load.camera)
        for part in (self.broker, self.forwarder, self.load.part):
            part.start()

    def remove(self) -> None:
        self.end_load()
        self.forwarder.remove()
        self.broker.remove()
        for mount in self._volumes.values():
            self._workshop.remove_volume(mount)
        for disk in (self.small, self.cuttable):
            if disk:
                disk.remove()

    def parts(self) -> dict[str, Part]:
        found = {"edge broker": self.broker, "forwarder": self.forwarder}
        return found | ({"detector": self.load.part} if self.load else {})
