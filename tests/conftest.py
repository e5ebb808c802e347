"""What unit and integration tests both need: events that are all different, and deliveries of them."""

import io
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import Box, FaceEvent, new_id
from hypothesis import HealthCheck, settings
from PIL import Image

# How long an example takes says more of the machine's other work than of ours.
settings.register_profile("facefleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("facefleet")

MakeEvent = Callable[..., FaceEvent]
MakeDelivery = Callable[..., Delivery]

_numbers = itertools.count(1)


def encoded(form: str, number: int = 0) -> bytes:
    """Return a small picture; another number, another picture."""
    colour = (number % 256, number // 256 % 256, number // 65536 % 256)
    buffer = io.BytesIO()
    Image.new("RGB", (24, 32), colour).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def make_event() -> MakeEvent:
    """Build an event, unlike any other; what a test cares about it gives by name."""

    def make(**changes: Any) -> FaceEvent:
        number = next(_numbers)
        given: dict[str, Any] = {
            "device": "jetson-01",
            "camera": "lobby",
            "id": new_id(),
            "time": datetime(2026, 11, 22, 7, 50, 1, 123000, tzinfo=UTC),
            "sequence": number,
            "track": 3,
            "score": 0.875,
            "box": Box(10, 20, 30, 40),
            "image": encoded("PNG", number),
        }
        return FaceEvent(**given | changes)

    return make


@pytest.fixture(scope="session")
def make_delivery() -> MakeDelivery:
    """Build the delivery of an event; `change` maps an attribute to its new value, or to None for none."""

    def make(event: FaceEvent, *, change: dict[str, str | None] | None = None, **parts: Any) -> Delivery:
        attributes = dict(event.attributes()) | (change or {})
        given: dict[str, Any] = {
            "topic": topics.faces("face_detection", event.device, event.camera),
            "payload": event.image,
            "content_type": event.content_type,
            "properties": tuple((name, value) for name, value in attributes.items() if value is not None),
        }
        return Delivery.of(**given | parts)

    return make
