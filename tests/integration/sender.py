"""A sender that has custody: it keeps each event until its receipt comes, and sends it again until then."""

import itertools
import secrets
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Delivery, Link
from facefleet.messaging.receipts import Answer, decode
from pydantic import AnyUrl

from tests.integration.waiting import await_until

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY_S = 0.05


class Sender:
    """Stands where a forwarder does, with its custody in memory. One device."""

    def __init__(self, url: str, device: str, prefix: str, *, qos: Any = 1, again_s: float = 2.0) -> None:
        self.answers: dict[bytes, Answer] = {}
        self.batches: list[list[tuple[Answer, bytes]]] = []
        self.sent = 0
        self._prefix = prefix
        self._qos = qos
        self._again_s = again_s
        self._tickets = itertools.count()
        self._kept: dict[bytes, tuple[float, Callable[[], None]]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._link = Link(
            AnyUrl(url),
            f"sender-{secrets.token_hex(6)}",
            qos=1,
            receive_maximum=100,
            subscriptions=[topics.receipts(device)],
            on_message=self._received,
        )
        self._link.start()
        await_until(lambda: self._link.connected, 15, "the sender is connected")
        threading.Thread(target=self._send_again, daemon=True).start()

    def send(self, *events: FaceEvent, **changes: Any) -> list[bytes]:
        """Take custody of events and send them; return their tickets."""
        return [self._keep(event, changes) for event in events]

    @property
    def kept(self) -> int:
        """Return how many have no receipt yet."""
        return len(self._kept)

    def await_receipts(self, timeout: float = 30) -> None:
        """Wait until nothing is kept any more."""
        await_until(lambda: not self._kept, timeout, "every event has its receipt")

    def close(self) -> None:
        self._ended.set()
        self._link.stop()

    def _keep(self, event: FaceEvent, changes: dict[str, Any]) -> bytes:
        ticket = struct.pack("!QI", 7, next(self._tickets))
        parts = {
            "topic": topics.faces(self._prefix, event.device, event.camera),
            "payload": event.image,
            "content_type": event.content_type,
            "properties": event.attributes(),
            "correlation": ticket,
            "response_topic": topics.receipts(event.device),
            "qos": self._qos,
        } | changes

        def send() -> None:
            self.sent += 1
            self._link.publish(**parts)

        with self._lock:
            self._kept[ticket] = (time.monotonic() + self._again_s, send)
        send()
        return ticket

    def _received(self, delivery: Delivery) -> None:
        said = decode(delivery.payload)
        self.batches.append(said)
        for answer, ticket in said:
            self.answers.setdefault(ticket, answer)
            with self._lock:
                self._kept.pop(ticket, None)
        delivery.acknowledge()

    def _send_again(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            now = time.monotonic()
            with self._lock:
                due = [ticket for ticket, (when, _) in self._kept.items() if when <= now]
            for ticket in due:
                with self._lock:
                    kept = self._kept.get(ticket)
                    if kept:
                        self._kept[ticket] = (now + self._again_s, kept[1])
                if kept:
                    kept[1]()
