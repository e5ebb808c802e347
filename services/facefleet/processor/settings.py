"""What the processor can be told."""

from typing import Annotated

from pydantic import Field

from facefleet.runtime.settings import BrokerSettings
from facefleet.storage.put import Encryption
from facefleet.storage.s3 import S3Settings

MIB = 1024 * 1024


class ProcessorSettings(S3Settings, BrokerSettings):
    """`broker` is the cloud broker."""

    client_id: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,64})?$")] = ""
    """Two that run at once must not have the same; empty makes one up that nobody has."""
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "processors"
    """Processors of one group share the messages."""
    window: int = Field(default=64, ge=1, le=1000)
    """Messages that the broker may have on their way to us, at QoS 1 and 2."""
    room_bytes: int = Field(default=256 * MIB, ge=MIB)
    """Messages held at once, in bytes: the bound of our memory. What comes beyond is not answered."""
    puts_at_once: int = Field(default=16, ge=1, le=256)
    image_max_bytes: int = Field(default=8 * MIB, ge=1024)
    retry_most_s: float = Field(default=5.0, gt=0, le=300)
    encryption: Encryption = "bucket"
