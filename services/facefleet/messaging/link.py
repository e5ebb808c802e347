"""A lasting connection to one broker, MQTT 5, over paho-mqtt.

It connects for as long as it takes, subscribes anew after each connect, and tells what became of
every publication. Callbacks run on the network thread and must not block for long.
"""

import enum
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import AnyUrl

from facefleet.messaging.event import FaceEvent
from facefleet.runtime import logs
from facefleet.runtime.settings import Qos

DEFAULT_PORT = 1883
KEEPALIVE_S = 30
RETRY_FIRST_S = 1
RETRY_MOST_S = 10
SESSION_FOR_EVER_S = 0xFFFFFFFF
_FIRST_FAILURE = 0x80
_NO_MATCHING_SUBSCRIBERS = 0x10

_log = logs.get("link")


class Outcome(enum.Enum):
    """What the broker made of a publication."""

    ACCEPTED = "accepted"
    UNROUTED = "unrouted"
    """Nobody had subscribed: it went nowhere."""
    REFUSED = "refused"
    UNSENT = "unsent"
    """QoS 0 while offline, or cut off on its way."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when we vanish."""

    topic: str
    payload: bytes
    qos: Qos = 1
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it came; `acknowledge` it once its effect is durable."""

    topic: str
    payload: bytes
    content_type: str | None
    properties: tuple[tuple[str, str], ...]
    redelivered: bool
    acknowledge: Callable[[], None] = field(repr=False)
    """Tells the broker that it may forget the message. Safe from any thread."""


class Link:
    """One connection. Give it an `on_message` to receive; then nothing is acknowledged for you."""

    def __init__(
        self,
        url: AnyUrl,
        client_id: str,
        *,
        session_expiry_s: int = 0,
        receive_maximum: int = 20,
        qos: Qos = 1,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[Delivery], None] | None = None,
        on_state: Callable[[bool, str], None] | None = None,
        will: Will | None = None,
    ) -> None:
        self._url = url
        self._qos = qos
        self._subscriptions = list(subscriptions)
        self._on_message = on_message
        self._on_state = on_state or (lambda _connected, _detail: None)
        self._receive_maximum = receive_maximum
        self._session_expiry_s = session_expiry_s
        self._connection = 0
        """Counts connects and disconnects: no acknowledgement may cross from one connection to the next."""
        self._asked: dict[int, tuple[Qos, Callable[[Outcome], None]]] = {}
        self._answered: dict[int, Outcome] = {}

        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, manual_ack=True
        )
        self._client.max_queued_messages_set(0)  # whoever publishes bounds what is pending
        self._client.max_inflight_messages_set(receive_maximum)
        self._client.reconnect_delay_set(RETRY_FIRST_S, RETRY_MOST_S)
        self._client.on_socket_open = _send_at_once
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._connect_failed
        self._client.on_disconnect = self._disconnected
        self._client.on_publish = self._published
        self._client.on_message = self._received
        if will:
            self._client.will_set(will.topic, will.payload, will.qos, will.retain)

    def start(self) -> None:
        """Connect in the background, again and again until it succeeds."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._receive_maximum
        properties.SessionExpiryInterval = self._session_expiry_s
        self._client.connect_async(
            str(self._url.host),
            self._url.port or DEFAULT_PORT,
            keepalive=KEEPALIVE_S,
            clean_start=self._session_expiry_s == 0,
            properties=properties,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect cleanly; a session that has an expiry is kept by the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: Qos | None = None,
        retain: bool = False,
        content_type: str | None = None,
        properties: Sequence[tuple[str, str]] = (),
        done: Callable[[Outcome], None] | None = None,
    ) -> None:
        """Publish; while offline it waits in memory. The network thread tells `done` what became of it."""
        with_properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type:
            with_properties.ContentType = content_type
        if properties:
            with_properties.UserProperty = list(properties)
        qos = self._qos if qos is None else qos
        info = self._client.publish(topic, payload, qos, retain, properties=with_properties)
        if info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN and qos == 0:
            self._answered[info.mid] = Outcome.UNSENT
        self._asked[info.mid] = qos, done or (lambda _outcome: None)
        self._settle(info.mid)

    def _settle(self, mid: int) -> None:
        """Bring question and answer together, whichever came first; `pop` lets only one thread win."""
        if mid in self._answered and (asked := self._asked.pop(mid, None)):
            _, done = asked
            done(self._answered.pop(mid))

    def _published(
        self, _client: object, _userdata: object, mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.value >= _FIRST_FAILURE:
            _log.warning("broker refused a message", broker=str(self._url), reason=str(reason))
            outcome = Outcome.REFUSED
        elif reason.value == _NO_MATCHING_SUBSCRIBERS:
            outcome = Outcome.UNROUTED
        else:
            outcome = Outcome.ACCEPTED
        self._answered[mid] = outcome
        self._settle(mid)

    def _received(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        if self._on_message is None:
            return
        connection, mid, qos = self._connection, message.mid, message.qos

        def acknowledge() -> None:
            if connection == self._connection:
                self._client.ack(mid, qos)

        self._on_message(
            Delivery(
                topic=message.topic,
                payload=bytes(message.payload),
                content_type=getattr(message.properties, "ContentType", None),
                properties=tuple(getattr(message.properties, "UserProperty", ())),
                redelivered=message.dup,
                acknowledge=acknowledge,
            )
        )

    def _connected(
        self, client: paho.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            self._say_unreachable(str(reason))
            return
        self._connection += 1
        _log.info("connected", broker=str(self._url))
        if self._subscriptions:
            client.subscribe([(topic, SubscribeOptions(qos=self._qos)) for topic in self._subscriptions])
        self._on_state(True, "connected")  # noqa: FBT003 - a callback has positional arguments

    def _connect_failed(self, _client: object, _userdata: object) -> None:
        try:
            address = (str(self._url.host), self._url.port or DEFAULT_PORT)
            socket.create_connection(address, timeout=2).close()
        except OSError as error:
            self._say_unreachable(str(error))

    def _say_unreachable(self, reason: str) -> None:
        _log.warning(
            "broker unreachable, trying again",
            broker=str(self._url),
            reason=reason,
            remedy="start it or correct the broker's address",
        )
        self._on_state(False, f"{self._url} unreachable: {reason}")  # noqa: FBT003

    def _disconnected(
        self, _client: object, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        self._connection += 1  # paho would send an acknowledgement ahead of the next CONNECT
        for mid, (qos, _) in list(self._asked.items()):
            if qos == 0:  # paho forgets it; with 1 and 2 it sends it again
                self._answered[mid] = Outcome.UNSENT
                self._settle(mid)
        if reason.is_failure:
            # What paho calls unspecified is a connection that ended without a word.
            said = "closed" if reason == "Unspecified error" else str(reason)
            _log.warning("connection lost, trying again", broker=str(self._url), reason=said)
        self._on_state(False, f"{self._url} disconnected: {reason}")  # noqa: FBT003


def publish_event(
    link: Link, topic: str, event: FaceEvent, done: Callable[[Outcome], None] | None = None
) -> None:
    """Publish a face event in its wire form."""
    link.publish(
        topic, event.image, content_type=event.content_type, properties=event.attributes(), done=done
    )


def _send_at_once(_client: object, _userdata: object, connection: object) -> None:
    """Do not wait to fill a segment: acknowledgements are small and latency is custody held."""
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
