"""What the puller can be told."""

from pathlib import Path
from typing import Annotated

from pydantic import AnyUrl, Field, UrlConstraints

from facefleet.runtime.clock import Trust
from facefleet.runtime.identity import Identity
from facefleet.runtime.settings import BrokerUrl, Name, ServiceSettings

DepotUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https"], host_required=True)]


class PullerSettings(ServiceSettings):
    """Paths are the host's own, mounted under the same names."""

    device: Name
    depot: DepotUrl
    image: str
    """Of ourselves: it must not be cleared away while we run."""
    broker: BrokerUrl = BrokerUrl("mqtt://127.0.0.1:1883")
    """The edge broker, which knows whether faces wait for the link."""
    bandwidth_bytes_s: int = Field(default=0, ge=0)
    """Most that is fetched in a second; 0 is without a cap."""
    trickle_bytes_s: int = Field(default=16 * 1024, ge=1024)
    """What is fetched in a second while faces wait for the link."""
    give_up_s: float = Field(default=900.0, gt=0)
    """How long a link may give nothing before the next run goes on from there."""
    renew_days: float = Field(default=60.0, ge=0)
    """With fewer days left the certificate is renewed."""
    clock: Trust = "kernel"
    identity_dir: Path = Path("/etc/facefleet/identity")
    stacks_dir: Path = Path("/opt/facefleet")
    cache_dir: Path = Path("/var/cache/facefleet/pull")
    engine_socket: Path = Path("/var/run/docker.sock")

    @property
    def identity(self) -> Identity:
        """Return who we are to the depot."""
        return Identity.within(self.identity_dir)

    @property
    def signer(self) -> Path:
        """Return the public key whose orders count."""
        return self.identity_dir / "signer.pub"

    @property
    def state_dir(self) -> Path:
        """Return where we remember what was applied."""
        return self.stacks_dir / "pull"

    @property
    def shown_dir(self) -> Path:
        """Return where the edge stack's services read what the host shows."""
        return self.stacks_dir / "edge/shown"
