"""A lasting connection to one broker, MQTT 5, over paho-mqtt.

It connects for as long as it takes, subscribes anew after each connect, and tells what became of every
publication. It keeps nothing: what has no answer when the connection ends is UNSENT, and whoever has custody
sends it again. Callbacks run on the loop's thread and must not block.

With a renewed certificate it changes to a new connection: that is made, and taken by the broker, before the
old one is ended in good order. So no connection outlives a certificate that was renewed in time.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import AnyUrl

from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.loop import Loop
from facefleet.messaging.properties import encode
from facefleet.messaging.secure import Trouble, accepted, in_words, secured
from facefleet.messaging.wire import Done, Outcome, Wire
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.identity import Edition, Identity, IdentityError
from facefleet.runtime.settings import Qos

__all__ = ["Delivery", "Link", "Outcome", "Will", "publish_event"]

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 15
DIAL_TIMEOUT_S = 5.0
ANSWER_WITHIN_S = 10.0
"""A broker that takes a connection and does not answer CONNECT is given up after so long."""
RETRY_FIRST_S = 0.5
RETRY_MOST_S = 10.0
STOP_WITHIN_S = 2.0
RENEW_AGAIN_S = 15.0
"""After a try to renew the connection that failed."""
LET_GO_WITHIN_S = 10.0
"""How long the old connection may take to write what it has."""
SESSION_FOR_EVER_S = 0xFFFFFFFF
TICK_S = 1.0
UNLIMITED = 65535
DRAINED_BYTES = 512 * 1024
"""With less than this unwritten, `on_drained` is told that there is room."""

_log = logs.get("link")


def _nobody(_outcome: Outcome) -> None:
    """Be told an outcome that nobody asked for."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when we vanish."""

    topic: str
    payload: bytes
    qos: Qos = 1
    retain: bool = True


class Link:
    """One connection. Give it an `on_message` to receive; then nothing is acknowledged for you."""

    def __init__(
        self,
        url: AnyUrl,
        client_id: str,
        *,
        identity: Identity | None = None,
        session_expiry_s: int = 0,
        receive_maximum: int = 20,
        packet_maximum: int | None = None,
        qos: Qos = 1,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[Delivery], None] | None = None,
        on_state: Callable[[bool, str], None] | None = None,
        will: Will | None = None,
        loop: Loop | None = None,
        on_drained: Callable[[], None] | None = None,
    ) -> None:
        """Make ready to connect; `mqtts://` wants an `identity`. Callbacks run on the `loop`, if any.

        The broker keeps from us what is larger than `packet_maximum` bytes.
        """
        self._url = url
        self._host = str(url.host).strip("[]")
        self._port = url.port or DEFAULT_PORTS[url.scheme]
        self._identity = identity if url.scheme == "mqtts" else None
        if url.scheme == "mqtts" and identity is None:
            raise ValueError(f"{url} needs an identity")
        self._client_id = client_id
        self._session_expiry_s = session_expiry_s
        self._receive_maximum = receive_maximum
        self._packet_maximum = packet_maximum
        self._qos = qos
        self._subscriptions = list(subscriptions)
        self._on_message = on_message or (lambda _delivery: None)
        self._on_state = on_state or (lambda _connected, _detail: None)
        self._will = will
        self._on_drained = on_drained
        self._own_loop = loop is None
        self._loop = loop or Loop(f"link-{client_id}")
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_MOST_S)
        self._wire: Wire | None = None
        self._connection: socket.socket | None = None
        self._refusal = ""
        """What the broker answered CONNECT with, unless it took us."""
        self._stopping = False
        self._stopped = threading.Event()
        self._dialling = threading.Lock()
        self._dialled: set[socket.socket] = set()
        """Connected, and not yet taken over by the loop, which may have ended meanwhile."""
        self._ended = False
        self._shown: Edition | None = None
        """Which certificate the connection was made with."""
        self._renewing = False
        self._renew_from = 0.0
        self._successor: tuple[socket.socket, Edition | None] | None = None
        """Takes over once the old connection is ended."""
        self.connected = False
        self.broker_receive_maximum = UNLIMITED
        """How many publications the broker takes at once without an answer; true once connected."""

    def start(self) -> None:
        """Connect in the background, again and again until it succeeds."""
        if self._own_loop:
            self._loop.start()
        self._loop.call(self._dial)
        self._loop.call(self._tick)

    def stop(self) -> None:
        """Disconnect cleanly; a session that has an expiry is kept by the broker."""
        self._loop.call(self._disconnect)
        self._stopped.wait(STOP_WITHIN_S)
        if self._own_loop:
            self._loop.stop()
        with self._dialling:
            self._ended = True
            for connection in self._dialled:
                connection.close()
            if self._successor:
                self._successor[0].close()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: Qos | None = None,
        retain: bool = False,
        content_type: str | None = None,
        properties: Sequence[tuple[str, str]] = (),
        response_topic: str | None = None,
        correlation: bytes | None = None,
        expires_s: int | None = None,
        done: Done | None = None,
    ) -> None:
        """Publish now or not at all; the loop's thread tells `done` what became of it. Any thread."""
        encoded = encode(
            content_type=content_type,
            user=properties,
            response_topic=response_topic,
            correlation=correlation,
            expires_s=expires_s,
        )
        self.send(topic.encode(), payload, encoded, qos=qos, retain=retain, done=done)

    def send(
        self,
        topic: bytes,
        payload: bytes | memoryview,
        properties_raw: bytes,
        *,
        qos: Qos | None = None,
        retain: bool = False,
        done: Done | None = None,
    ) -> None:
        """Publish what is encoded already; see `publish`."""
        level = self._qos if qos is None else qos
        if self._loop.here:
            self._send(topic, payload, properties_raw, level, retain=retain, done=done or _nobody)
        else:
            self._loop.call(
                partial(
                    self._send, topic, payload, properties_raw, level, retain=retain, done=done or _nobody
                )
            )

    @property
    def loop(self) -> Loop:
        """Return the loop that the callbacks run on."""
        return self._loop

    @property
    def name(self) -> str:
        """Return the broker's address, for messages."""
        return str(self._url)

    @property
    def unwritten(self) -> int:
        """Return how many bytes wait for the socket to take them."""
        return self._wire.unwritten if self._wire else 0

    # --- on the loop's thread ---

    def _send(
        self,
        topic: bytes,
        payload: bytes | memoryview,
        properties_raw: bytes,
        qos: Qos,
        *,
        retain: bool,
        done: Done,
    ) -> None:
        if self._wire is None or not self.connected:
            done(Outcome.UNSENT)
        else:
            self._wire.send(topic, payload, properties_raw, qos, retain=retain, done=done)

    def _dial(self, *, renewing: bool = False) -> None:
        """Connecting blocks, so it has a thread of its own."""
        if not self._stopping:
            call = partial(self._call_broker, renewing=renewing)
            threading.Thread(target=call, name=f"dial-{self._client_id}", daemon=True).start()

    def _call_broker(self, *, renewing: bool) -> None:
        shown = self._identity.edition() if self._identity else None
        try:
            connection = socket.create_connection((self._host, self._port), timeout=DIAL_TIMEOUT_S)
            if self._identity:
                connection = secured(connection, self._identity, self._host)
                if renewing and isinstance(connection, ssl.SSLSocket):
                    accepted(connection)
        except (IdentityError, OSError, UnicodeError) as error:
            failed = self._not_renewed if renewing else self._failed
            self._loop.call(partial(failed, in_words(error, self._host)))
        else:
            with self._dialling:
                if self._ended:
                    connection.close()
                    return
                self._dialled.add(connection)
            self._loop.call(partial(self._succeed if renewing else self._adopt, connection, shown))

    def _renew_if_due(self) -> None:
        """Make another connection beside this one when the certificate is another than it was made with."""
        if not (self._identity and self.connected) or self._renewing or time.monotonic() < self._renew_from:
            return
        if self._identity.edition() not in (None, self._shown):
            self._renewing = True
            self._dial(renewing=True)

    def _not_renewed(self, trouble: Trouble) -> None:
        self._renewing = False
        self._renew_from = time.monotonic() + RENEW_AGAIN_S
        if self.connected:
            _log.warning(
                "the renewed certificate is of no use yet, going on with the one before",
                broker=str(self._url),
                reason=trouble.reason,
                remedy=trouble.remedy,
            )

    def _succeed(self, connection: socket.socket, shown: Edition | None) -> None:
        """End the old connection, behind what it has to write still; then this one takes over."""
        with self._dialling:
            self._dialled.discard(connection)
        self._renewing = False
        wire = self._wire
        if self._stopping or wire is None or not self.connected or shown == self._shown:
            connection.close()  # the old one ended meanwhile, and was or will be dialled anew
            return
        self._successor = connection, shown
        self.connected = False
        wire.disconnect()
        self._loop.after(LET_GO_WITHIN_S, partial(self._give_up_on, wire))

    def _adopt(self, connection: socket.socket, shown: Edition | None) -> None:
        """Begin to talk over a new connection."""
        with self._dialling:
            self._dialled.discard(connection)
        if self._stopping:
            connection.close()
            return
        self._shown = shown
        # Acknowledgements are small, and latency is custody held.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What is sent and not acknowledged by TCP within so long: the link is dead.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2 * KEEPALIVE_S * 1000)
        self._refusal = ""
        wire = Wire(self._client_id, connection, self._arrived, partial(self._loop.defer, self._flush))
        wire.on_connect = self._connected
        wire.on_disconnect = self._disconnected
        wire.on_socket_close = lambda *_: self._loop.unwatch(connection)
        if self._will:
            wire.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._receive_maximum
        properties.SessionExpiryInterval = self._session_expiry_s
        if self._packet_maximum:
            properties.MaximumPacketSize = self._packet_maximum
        self._wire, self._connection = wire, connection
        wire.connect_async(
            self._host,
            self._port,
            keepalive=KEEPALIVE_S,
            clean_start=self._session_expiry_s == 0,
            properties=properties,
        )
        wire.reconnect()
        self._loop.watch(connection, self._ready, write=False)
        self._loop.after(ANSWER_WITHIN_S, partial(self._give_up_on, wire))

    def _ready(self, can_read: bool, can_write: bool) -> None:  # noqa: FBT001 - a callback has positional arguments
        wire = self._wire
        if wire is None:
            return
        if can_read or wire.read_wants_write:
            wire.read()
            while wire.buffered:
                wire.read()
        if can_write:
            self._loop.defer(self._flush)

    def _flush(self) -> None:
        """Write, and wait for the socket only if it did not take everything."""
        wire = self._wire
        if wire is None:
            return
        wire.flush()
        if self._on_drained and self.connected and wire.unwritten < DRAINED_BYTES:
            self._on_drained()
        if wire is self._wire and self._connection is not None:
            self._loop.watch(self._connection, self._ready, write=wire.wants_write)

    def _tick(self) -> None:
        """Keep the connection alive, and notice when it is not."""
        if self._wire is not None:
            self._wire.loop_misc()
        self._renew_if_due()
        if not self._stopping:
            self._loop.after(TICK_S, self._tick)

    def _give_up_on(self, wire: Wire) -> None:
        if wire is self._wire and not self.connected:
            wire.break_off()

    def _arrived(  # noqa: PLR0917 - as the wire calls it
        self,
        topic: str,
        payload: memoryview,
        properties_raw: bytes,
        qos: Qos,
        number: int,
        again: bool,  # noqa: FBT001
        retained: bool,  # noqa: FBT001
    ) -> None:
        wire = self._wire
        self._on_message(
            Delivery(
                topic,
                bytes(payload),
                properties_raw,
                qos=qos,
                redelivered=again,
                retained=retained,
                acknowledge=partial(self._acknowledge, wire, number, qos),
            )
        )

    def _acknowledge(self, wire: Wire | None, number: int, qos: Qos) -> None:
        """Acknowledge on the connection that the message came by, or not at all. Any thread."""
        if not self._loop.here:
            self._loop.call(partial(self._acknowledge, wire, number, qos))
        elif wire is not None and wire is self._wire:
            wire.acknowledge(number, qos)

    def _connected(
        self,
        client: object,
        _userdata: object,
        _flags: object,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            return
        self.connected = True
        self._backoff.reset()
        self.broker_receive_maximum = int(getattr(properties, "ReceiveMaximum", UNLIMITED))
        _log.info("connected", broker=str(self._url))
        if self._subscriptions and isinstance(client, Wire):
            client.subscribe([(topic, SubscribeOptions(qos=self._qos)) for topic in self._subscriptions])
        self._on_state(True, "connected")  # noqa: FBT003 - a callback has positional arguments

    def _disconnected(
        self, client: object, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        wire = self._wire
        if wire is None or client is not wire:
            return
        was_connected, self.connected = self.connected, False
        self._wire = self._connection = None
        for done in wire.abandon():
            done(Outcome.UNSENT)
        if self._stopping:
            self._stopped.set()
            return
        if self._successor:
            successor, self._successor = self._successor, None
            self._adopt(*successor)
            return
        trouble = self._of_the_end(wire, reason, was_connected=was_connected)
        if was_connected:
            _log.warning("connection lost, trying again", broker=str(self._url), reason=str(trouble))
            self._on_state(False, f"{self._url} disconnected: {trouble}")  # noqa: FBT003
        else:
            self._say_unreachable(trouble)
        self._loop.after(self._backoff.next_s(), self._dial)

    def _failed(self, trouble: Trouble) -> None:
        self._say_unreachable(trouble)
        self._loop.after(self._backoff.next_s(), self._dial)

    def _of_the_end(self, wire: Wire, reason: ReasonCode, *, was_connected: bool) -> Trouble:
        """Return why a connection ended."""
        if self._refusal:
            return Trouble(f"it said {self._refusal}", "see the broker's log")
        if wire.failure:
            return in_words(wire.failure, self._host)
        if reason != "Unspecified error":
            return Trouble(str(reason))
        # What paho calls unspecified is a connection that ended without a word.
        if was_connected or self._identity:
            return Trouble("closed")
        return Trouble("it hung up without an answer", "if that is a TLS port, say mqtts://")

    def _say_unreachable(self, trouble: Trouble) -> None:
        if self._stopping:
            return
        remedy = trouble.remedy or "start it or correct the broker's address"
        _log.warning(
            "broker unreachable, trying again", broker=str(self._url), reason=trouble.reason, remedy=remedy
        )
        self._on_state(False, f"{self._url} unreachable: {trouble}")  # noqa: FBT003

    def _disconnect(self) -> None:
        self._stopping = True
        if self._wire is None:
            self._stopped.set()
            return
        with contextlib.suppress(OSError):
            self._wire.disconnect()
            self._wire.flush()


def publish_event(link: Link, topic: str, event: FaceEvent, done: Done | None = None) -> None:
    """Publish a face event in its wire form."""
    link.publish(
        topic, event.image, content_type=event.content_type, properties=event.attributes(), done=done
    )
