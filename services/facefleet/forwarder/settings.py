"""What the forwarder can be told."""

from pathlib import Path

from pydantic import Field

from facefleet.courier.limits import Limits, Priority
from facefleet.custody.spool import WhenFull
from facefleet.runtime.clock import Trust
from facefleet.runtime.identity import OURS, Identity
from facefleet.runtime.settings import BrokerSettings, BrokerUrl, Name

MIB = 1024 * 1024


class ForwarderSettings(BrokerSettings):
    """`broker` is the edge broker."""

    device: Name
    cloud_broker: BrokerUrl
    cloud_ca: Path = OURS.ca
    cloud_certificate: Path = OURS.certificate
    cloud_key: Path = OURS.key
    """The three files (PEM) of `mqtts://`."""
    state_dir: Path = Path("/var/lib/facefleet")
    spool_max_bytes: int = Field(default=1024 * MIB, ge=64 * MIB)
    """What the spool may take on disk."""
    spool_when_full: WhenFull = "reject"
    keep_s: float = Field(default=0.0, ge=0)
    """What waits longer for the cloud is given up; 0 keeps it for ever."""
    batch_most: int = Field(default=128, ge=1, le=1000)
    """Messages written to the disk at once."""
    batch_ms: float = Field(default=2.0, ge=0, le=1000)
    """How long a message waits for others to be written with."""
    take_window: int = Field(default=200, ge=1, le=1000)
    """Messages taken from the edge broker that are not on the disk yet."""
    window: int = Field(default=500, ge=1, le=10_000)
    """Messages sent without a receipt at once; the cloud broker's Receive Maximum is the other bound."""
    window_bytes: int = Field(default=16 * MIB, ge=1024)
    priority: Priority = "newest"
    """Which end of a backlog goes first; every fourth message is of the other."""
    bandwidth_bytes_s: int = Field(default=0, ge=0)
    """Most that is sent to the cloud in a second; 0 is without a cap."""
    receipt_timeout_s: float = Field(default=10.0, gt=0, le=3600)
    retry_most_s: float = Field(default=60.0, gt=0, le=3600)
    """Most that a message waits before it is sent again."""
    clock: Trust = "kernel"
    """How to know that the clock is right."""
    shown_dir: Path = Path("/run/stack")
    """Where the host shows what it runs, in files that change while we do: `release`, `pull.json`."""

    @property
    def cloud_identity(self) -> Identity | None:
        """Return who we are to the cloud broker, if it asks."""
        if self.cloud_broker.scheme != "mqtts":
            return None
        return Identity(self.cloud_ca, self.cloud_certificate, self.cloud_key)

    @property
    def identities(self) -> list[Identity]:
        """Return both."""
        return super().identities + ([self.cloud_identity] if self.cloud_identity else [])

    @property
    def limits(self) -> Limits:
        """Return what concerns the way to the cloud."""
        return Limits(
            window=self.window,
            window_bytes=self.window_bytes,
            priority=self.priority,
            bandwidth_bytes_s=self.bandwidth_bytes_s,
            receipt_timeout_s=self.receipt_timeout_s,
            retry_most_s=self.retry_most_s,
            keep_s=self.keep_s,
        )
