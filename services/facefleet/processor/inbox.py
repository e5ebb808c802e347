"""Where messages come from and where the answers go: a small interface, and MQTT behind it.

A queue of another kind (AMQP, say) is another Inbox, and nothing else changes.
"""

import secrets
import socket
from collections.abc import Callable
from typing import Protocol

from facefleet.messaging import topics
from facefleet.messaging.link import Delivery, Link
from facefleet.messaging.receipts import Answer, Receipts
from facefleet.processor.settings import ProcessorSettings
from facefleet.runtime.health import Health


class Inbox(Protocol):
    """A source of messages that is shared with other processors."""

    def open(self, take: Callable[[Delivery], None], lost: Callable[[], None]) -> None:
        """Begin to give messages to `take`; call `lost` when those given can no more be acknowledged.

        Neither must block. Both are called on one thread.
        """

    def answer(self, device: str, answer: Answer, correlation: bytes) -> None:
        """Tell a device what became of a message, soon. Any thread."""

    def tell(self, device: str, camera: str, notice: bytes) -> None:
        """Let whoever shows faces know of one that is stored; it need not arrive. Any thread."""

    def close(self) -> None:
        """Send the answers that wait, and end."""


class MqttInbox:
    """A member of a shared subscription, with a clean session: custody is with the senders."""

    def __init__(self, settings: ProcessorSettings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._link: Link | None = None
        self._receipts: Receipts | None = None

    def open(self, take: Callable[[Delivery], None], lost: Callable[[], None]) -> None:
        """Connect, and stay connected."""
        settings = self._settings
        tell = self._health.follow("broker")

        def state(connected: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
            if not connected:
                lost()
            tell(connected, detail)

        self._link = Link(
            settings.broker,
            settings.client_id or unique_client_id(),
            identity=settings.broker_identity,
            receive_maximum=settings.window,
            qos=settings.qos,
            subscriptions=[topics.shared(settings.group, topics.all_faces(settings.topic_prefix))],
            on_message=take,
            on_state=state,
        )
        self._receipts = Receipts(self._link)
        self._link.start()

    def answer(self, device: str, answer: Answer, correlation: bytes) -> None:
        """Add to the next batch of receipts for the device."""
        if self._receipts:
            self._receipts.add(topics.receipts(device), answer, correlation)

    def tell(self, device: str, camera: str, notice: bytes) -> None:
        """Publish it at QoS 0: the bucket is what counts, and it can be listed."""
        if self._link:
            self._link.publish(topics.stored(device, camera), notice, qos=0)

    def close(self) -> None:
        """Send the last receipts and disconnect; what is not acknowledged is sent again by who sent it."""
        if self._receipts and self._link:
            self._receipts.flush()
            self._link.stop()


def unique_client_id() -> str:
    """Return `processor-<host>-<random>`: two with one name would throw each other out."""
    host = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in socket.gethostname()
    )
    return f"processor-{host.lower()[:40]}-{secrets.token_hex(4)}"
