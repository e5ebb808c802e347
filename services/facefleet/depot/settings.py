"""What the depot can be told."""

from pathlib import Path

from pydantic import Field

from facefleet.runtime.identity import OURS, Identity
from facefleet.storage.s3 import S3Settings


class DepotSettings(S3Settings):
    """Of the bucket, what is below `releases/` is the depot's."""

    address: str = "0.0.0.0"  # noqa: S104 - of a container, whose port is published
    port: int = Field(default=8884, ge=0, le=65535)
    ca: Path = OURS.ca
    certificate: Path = OURS.certificate
    key: Path = OURS.key
    """Who we are, and whose certificates we trust; read anew when they change."""
    signer: Path = OURS.ca.with_name("signer.pub")
    """The public key of whoever signs orders."""
    access_dir: Path = Path("/run/access")
    """The rules and the list of revoked certificates that the cloud broker has."""
    connections_most: int = Field(default=256, ge=1)
    """Each takes about a third of a MiB."""
    downloads_most: int = Field(default=64, ge=1)
    """Blobs on their way at once; who comes later is told when to ask again."""
    strangers_burst: int = Field(default=60, ge=1)
    strangers_per_s: float = Field(default=2.0, gt=0)
    """How often one address may ask without a certificate of the fleet."""

    @property
    def identity(self) -> Identity:
        """Return who we are to devices."""
        return Identity(self.ca, self.certificate, self.key)

    @property
    def identities(self) -> list[Identity]:
        """Return this one."""
        return [self.identity]
