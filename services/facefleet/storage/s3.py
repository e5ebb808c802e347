"""Settings of a bucket and a client for it."""

from typing import TYPE_CHECKING, Annotated

import boto3
from botocore.config import Config
from pydantic import AnyHttpUrl, Field

from facefleet.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30

BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class S3Settings(ServiceSettings):
    """Where the bucket is. Keys come from AWS_SHARED_CREDENTIALS_FILE or from the instance role."""

    bucket: BucketName
    s3_endpoint: AnyHttpUrl | None = None
    """The URL of an S3 server; without it, AWS."""
    s3_region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")

    @property
    def where(self) -> str:
        """Return the bucket's place in words, for messages."""
        return f"{self.bucket} at {self.s3_endpoint or f'AWS {self.s3_region}'}"


def client(settings: S3Settings, connections: int = 10, *, attempts: int = 1) -> "S3Client":
    """Return an S3 client that, unless told, leaves retrying to whoever knows what is at stake."""
    return boto3.Session().client(  # a session of its own reads the credentials anew
        "s3",
        endpoint_url=str(settings.s3_endpoint) if settings.s3_endpoint else None,
        region_name=settings.s3_region,
        config=Config(
            max_pool_connections=connections,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            s3={"addressing_style": "path" if settings.s3_endpoint else "auto"},
        ),
    )
