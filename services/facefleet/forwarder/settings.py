"""What the forwarder can be told."""

from pydantic import Field

from facefleet.runtime.settings import BrokerSettings, BrokerUrl, Name


class ForwarderSettings(BrokerSettings):
    """`broker` is the edge broker."""

    device: Name
    cloud_broker: BrokerUrl
    window: int = Field(default=20, ge=1, le=1000)
    """Messages on their way at once; the brokers' max_inflight_messages is the other bound."""
    retry_s: float = Field(default=2.0, gt=0, le=300)
    """Wait before a message that the cloud broker did not take is sent again."""
