"""What the processor can be told."""

from typing import Annotated, Literal

from pydantic import Field

from facefleet.runtime.settings import BrokerSettings
from facefleet.storage.s3 import S3Settings


class ProcessorSettings(S3Settings, BrokerSettings):
    """`broker` is the cloud broker."""

    client_id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")] = "processor"
    window: int = Field(default=32, ge=1, le=1000)
    """Messages that the broker may have on their way to us: the bound of our memory."""
    puts_at_once: int = Field(default=16, ge=1, le=256)
    image_max_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    retry_most_s: float = Field(default=5.0, gt=0, le=300)
    encryption: Literal["bucket", "AES256", "aws:kms"] = "bucket"
    """Asked for with each put; `bucket` leaves it to the bucket's own setting."""
