"""What a device says of itself on `status/<device>`: its own accounts, its state and its cameras'."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from facefleet.custody.entry import Accounts
from facefleet.forwarder.host import Host
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery

OFFLINE = json.dumps({"state": "offline"}).encode()
"""The last will."""


class Standing(NamedTuple):
    """How the device stands beside its accounts. Times are as the message says them."""

    said: str
    started: str
    release: str
    cloud: str
    """The way to the cloud: `connected`, or what is wrong with it and the remedy."""
    cloud_since: str
    last_receipt: str | None
    clock: str
    certificate_ends: str | None
    certificate: str | None
    trusts: list[str]
    """Which certificate it has and which authorities it trusts, by the first digits of their SHA-256."""
    pull: dict[str, Any] | None = None
    """How it stands with its updates, where it fetches them itself."""


@dataclass(slots=True)
class Report:
    """Gathers the newest status of each camera, as the edge broker retains it."""

    device: str
    spool_max_bytes: int
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)

    def hear(self, delivery: Delivery) -> None:
        """Take a camera's status; one that cannot be read is left out."""
        delivery.acknowledge()
        match delivery.topic.split("/"):
            case ["status", self.device, camera]:
                pass
            case _:
                return
        try:
            said = json.loads(delivery.payload) if delivery.payload else None
        except (ValueError, RecursionError):
            said = {"state": "unreadable"}
        if isinstance(said, dict):
            self.cameras[camera] = said
        else:
            self.cameras.pop(camera, None)

    def encoded(self, state: str, standing: Standing, host: Host, accounts: Accounts) -> bytes:
        """Return the payload, JSON. Of the device: taken = stored + dead + given_up + held."""
        return json.dumps(
            {
                "state": state,
                **standing._asdict(),
                "host": asdict(host),
                "taken": accounts.taken,
                "stored": accounts.handed_on,
                "dead": accounts.rejected,
                "given_up": accounts.given_up + accounts.damaged,
                "held": accounts.held,
                "oldest_s": round(accounts.oldest_s),
                "spool_bytes": accounts.disk_bytes,
                "spool_max_bytes": self.spool_max_bytes,
                "cameras": self.cameras,
            }
        ).encode()

    def news(self, standing: Standing, accounts: Accounts) -> object:
        """Return what makes a status worth saying at once when it is another; figures that drift do not."""
        cameras = sorted((name, said.get("state"), said.get("camera")) for name, said in self.cameras.items())
        pull = {name: value for name, value in (standing.pull or {}).items() if name != "said"}
        return (
            accounts.taken,
            accounts.held,
            *(standing.release, standing.cloud, standing.clock, standing.certificate, standing.trusts),
            json.dumps([cameras, pull], default=str),
        )


def camera_statuses(device: str) -> str:
    """Return the filter of a device's cameras' statuses."""
    return topics.camera_status(device, "+")
