"""What a device says of itself on `status/<device>`: its own accounts and its cameras'."""

import json
from dataclasses import dataclass, field
from typing import Any

from facefleet.custody.entry import Accounts
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery

OFFLINE = json.dumps({"state": "offline"}).encode()
"""The last will."""


@dataclass(slots=True)
class Report:
    """Gathers the newest status of each camera, as the edge broker retains it."""

    device: str
    release: str = ""
    cloud: str = "not connected yet"
    """The way to the cloud: `connected`, or what is wrong with it and the remedy."""
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

    def encoded(self, state: str, accounts: Accounts) -> bytes:
        """Return the payload, JSON. Of the device: taken = stored + dead + given_up + held."""
        return json.dumps(
            {
                "state": state,
                "release": self.release,
                "cloud": self.cloud,
                "taken": accounts.taken,
                "stored": accounts.handed_on,
                "dead": accounts.rejected,
                "given_up": accounts.given_up + accounts.damaged,
                "held": accounts.held,
                "oldest_s": round(accounts.oldest_s),
                "spool_bytes": accounts.disk_bytes,
                "cameras": self.cameras,
            }
        ).encode()


def camera_statuses(device: str) -> str:
    """Return the filter of a device's cameras' statuses."""
    return topics.camera_status(device, "+")
