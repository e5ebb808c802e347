"""A message as it came."""

from collections.abc import Callable, Sequence

from facefleet.messaging import properties as encoded
from facefleet.messaging.properties import Hop


class Delivery:
    """One message; `acknowledge` it once its effect is durable. Properties are read when asked for."""

    __slots__ = (
        *("_hop", "acknowledge", "payload", "properties_raw"),
        *("qos", "redelivered", "retained", "topic"),
    )

    def __init__(
        self,
        topic: str,
        payload: bytes,
        properties_raw: bytes,
        *,
        qos: int,
        redelivered: bool,
        acknowledge: Callable[[], object],
        retained: bool = False,
    ) -> None:
        """Take what the wire brought; `acknowledge` is safe from any thread and at any time.

        One that is `retained` was published at some time before, and comes because we subscribed.
        """
        self.topic = topic
        self.payload = payload
        self.properties_raw = properties_raw
        self.qos = qos
        self.redelivered = redelivered
        self.retained = retained
        self.acknowledge = acknowledge
        self._hop: Hop | None = None

    @classmethod
    def of(
        cls,
        topic: str,
        payload: bytes,
        *,
        content_type: str | None = None,
        properties: Sequence[tuple[str, str]] = (),
        response_topic: str | None = None,
        correlation: bytes | None = None,
        qos: int = 1,
        redelivered: bool = False,
        acknowledge: Callable[[], object] = lambda: None,
    ) -> "Delivery":
        """Build one from its parts."""
        raw = encoded.encode(
            content_type=content_type, user=properties, response_topic=response_topic, correlation=correlation
        )
        return cls(topic, payload, raw, qos=qos, redelivered=redelivered, acknowledge=acknowledge)

    @property
    def hop(self) -> Hop:
        """Return what concerns this hop, and what is to be carried on.

        Raises:
            MalformedPropertiesError: when the properties cannot be read.
        """
        if self._hop is None:
            self._hop = encoded.hop(self.properties_raw)
        return self._hop

    @property
    def content_type(self) -> str | None:
        """Return the content type, if any."""
        return encoded.content_type(self.properties_raw)

    @property
    def properties(self) -> tuple[tuple[str, str], ...]:
        """Return the user properties."""
        return encoded.user(self.properties_raw)

    @property
    def response_topic(self) -> str | None:
        """Return where an answer is wanted, if one is."""
        return self.hop.response_topic

    @property
    def correlation(self) -> bytes | None:
        """Return what an answer has to carry."""
        return self.hop.correlation
