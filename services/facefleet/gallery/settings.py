"""What the gallery can be told."""

from pathlib import Path
from typing import Annotated

from pydantic import AnyHttpUrl, Field

from facefleet.runtime.settings import BrokerSettings
from facefleet.storage.s3 import S3Settings

MIB = 1024 * 1024


class GallerySettings(S3Settings, BrokerSettings):
    """`broker` is the cloud broker; the bucket is read only."""

    client_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")] = "gallery"
    address: str = "0.0.0.0"  # noqa: S104 - of a container, whose port is published on loopback
    port: int = Field(default=8080, ge=0, le=65535)
    people_file: Path = Path("/run/people/people.json")
    """Who may sign in: names and hashes of passwords. Read anew at each sign-in."""
    state_dir: Path = Path("/var/lib/facefleet")
    """For the index of the bucket and the sessions; all of it can be made again."""
    fleet_url: AnyHttpUrl | None = None
    """Where the roster of the devices is told; without it there is no fleet page."""
    https: bool = False
    """Whether people come by HTTPS, through a proxy before us: cookies are for HTTPS only then."""
    thumbnails_bytes: int = Field(default=64 * MIB, ge=MIB)
    """Small pictures kept in memory."""
    session_hours: float = Field(default=12.0, gt=0, le=24 * 31)
