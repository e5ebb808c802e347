"""What the watch can be told."""

from pathlib import Path

from pydantic import Field

from facefleet.runtime.identity import OURS
from facefleet.runtime.settings import BrokerSettings


class WatchSettings(BrokerSettings):
    """`broker` is the cloud broker."""

    roster_file: Path = Path("/var/lib/facefleet/roster.json")
    fleet_port: int = Field(default=9465, ge=0, le=65535)
    """TCP port on which `/fleet.json` is; 0 turns it off."""
    cloud_certificate: Path = OURS.certificate
    cloud_authority: Path = OURS.ca
    """What the cloud host shows to devices, and whom the fleet trusts: the watch tells when they end."""
