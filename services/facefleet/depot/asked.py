"""What a device wants signed, as it lies in the bucket until that is done. Pure."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Asked(BaseModel):
    """A signing request that waits."""

    model_config = ConfigDict(frozen=True)

    request: str
    """PEM."""
    heard: datetime
