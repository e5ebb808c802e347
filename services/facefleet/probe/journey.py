"""The probe's story: an event that is no face goes the way of all faces, and the proof of its end comes back.

The forwarder answers twice: KEPT once it is on its disk, as it answers each detector, and STORED (or DEAD)
once the cloud's receipt is there.
"""

import base64
import json
import secrets
import threading
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import ConfigDict

from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import Box, FaceEvent, new_id
from facefleet.messaging.link import Link, Outcome
from facefleet.messaging.receipts import Answer, MalformedReceiptError, decode
from facefleet.runtime.settings import BrokerSettings, Name

AGAIN_S = 2.0
"""What the forwarder has not taken is published again; it keeps one of them."""
EXPIRES_S = 30
ANOTHER_S = 15.0
"""A receipt may get lost on its way to us, and it is sent once: then another event brings another."""
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
"""A PNG of one black pixel."""


class NotProvenError(Exception):
    """The time is up; the text says how far the probe came, and the remedy."""


class Proof(NamedTuple):
    """The event that is in S3, and how long that took."""

    id: str
    seconds: float


class ProbeSettings(BrokerSettings):
    """`broker` is the edge broker. The forwarder's own settings do, so that it can be run beside it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    device: Name


class Journey:
    """One probe, from the connection to the proof. All on the link's loop but `prove`."""

    def __init__(self, settings: ProbeSettings) -> None:
        """Make ready."""
        self._device = settings.device
        self._topic = topics.faces(settings.topic_prefix, settings.device, topics.PROBE)
        self._answers_topic = topics.camera_receipts(settings.device, topics.PROBE)
        self._link = Link(
            settings.broker,
            f"{settings.device}-probe-{secrets.token_hex(4)}",
            identity=settings.broker_identity,
            qos=settings.qos,
            subscriptions=[self._answers_topic, topics.device_status(settings.device)],
            on_message=self._hear,
            on_state=self._turned,
        )
        self._event = self._new_event()
        self._begun: dict[str, float] = {}
        """When each event was published first."""
        self._kept_at = float("inf")
        self._outcome: Outcome | None = None
        self._full = False
        self._trouble = "no answer"
        self._status: dict[str, Any] = {}
        self._settled: tuple[str, Answer] | None = None
        self._ended = threading.Event()

    def prove(self, timeout_s: float) -> Proof:
        """Send the probe until it is in S3.

        Raises:
            NotProvenError: when that takes too long, or the processor will not have it.
        """
        self._link.start()
        self._link.loop.call(self._go_on)
        self._ended.wait(timeout_s)
        self._link.stop()
        if self._settled is None:
            raise NotProvenError(self._how_far(timeout_s))
        identity, answer = self._settled
        if answer is Answer.DEAD:
            raise NotProvenError(
                f"the processor took the probe {identity} for a dead letter: see its log, and that it is of "
                "the same release"
            )
        return Proof(identity, time.monotonic() - self._begun[identity])

    def _go_on(self) -> None:
        """Publish what is not kept yet, and something new when the proof does not come."""
        if self._ended.is_set():
            return
        if time.monotonic() - self._kept_at >= ANOTHER_S:
            self._event = self._new_event()
            self._kept_at = float("inf")
        if self._link.connected and self._kept_at == float("inf"):
            self._publish(self._event)
        self._link.loop.after(AGAIN_S, self._go_on)

    def _publish(self, event: FaceEvent) -> None:
        self._begun.setdefault(event.id, time.monotonic())
        self._link.publish(
            self._topic,
            event.image,
            content_type=event.content_type,
            properties=[*event.attributes(), ("probe", "true")],
            response_topic=self._answers_topic,
            correlation=event.id.encode(),
            expires_s=EXPIRES_S,
            done=self._published,
        )

    def _published(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def _turned(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
        self._trouble = "" if connected else detail
        if connected and self._kept_at == float("inf"):
            self._publish(self._event)

    def _hear(self, delivery: Delivery) -> None:
        delivery.acknowledge()
        if delivery.topic == self._answers_topic:
            self._hear_answers(delivery.payload)
        else:
            self._hear_status(delivery.payload)

    def _hear_answers(self, payload: bytes) -> None:
        try:
            answers = decode(payload)
        except MalformedReceiptError:
            return
        for answer, correlation in answers:
            identity = correlation.decode(errors="replace")
            if identity not in self._begun:
                continue  # of another probe
            if answer in (Answer.STORED, Answer.DEAD):
                self._settled = identity, answer
                self._ended.set()
            elif identity == self._event.id:
                self._full = answer is Answer.REFUSED
                if answer is Answer.KEPT:
                    self._kept_at = min(self._kept_at, time.monotonic())

    def _hear_status(self, payload: bytes) -> None:
        try:
            said = json.loads(payload)
        except ValueError:
            return
        if isinstance(said, dict):
            self._status = said

    def _new_event(self) -> FaceEvent:
        return FaceEvent(
            device=self._device,
            camera=topics.PROBE,
            id=new_id(),
            time=datetime.now(UTC),
            sequence=0,
            track=0,
            score=1.0,
            box=Box(0, 0, 1, 1),
            image=PICTURE,
        )

    # --- words ---

    def _how_far(self, timeout_s: float) -> str:
        """Say where the probe is, and what to look at."""
        if self._trouble:
            trouble = self._trouble.replace(" unreachable:", ":")
            return f"the edge broker is unreachable: {trouble}; see its log, and start it"
        if len(self._begun) > 1 or self._kept_at < float("inf"):
            return self._of_the_cloud(timeout_s)
        return f"the forwarder takes nothing: {self._of_the_forwarder()}"

    def _of_the_forwarder(self) -> str:
        if self._full:
            return "it has no room; see why the cloud takes nothing, or raise spool_max_bytes"
        state = self._status.get("state")
        if state is not None and state != "online":
            return f"it is {state}; see its log, and start it"
        if self._outcome is Outcome.REFUSED:
            return f"the edge broker refuses {self._topic}; see its ACL"
        if self._outcome is Outcome.UNROUTED:
            return (
                f"nobody listens to {self._topic}; see its log, and that its device and topic prefix are ours"
            )
        return "it does not answer; see its log"

    def _of_the_cloud(self, timeout_s: float) -> str:
        cloud = self._status.get("cloud", "connected")
        said = "" if cloud == "connected" else f" It says: {cloud}."
        held = self._status.get("held")
        holds = f" The device holds {held} events." if isinstance(held, int) else ""
        return (
            f"the forwarder holds it, but no receipt came from the cloud within {timeout_s:g} s: "
            f"see the link, the cloud broker, the processor, S3.{said}{holds}"
        )
