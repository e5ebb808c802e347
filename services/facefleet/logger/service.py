"""The logger's story: a message comes in, its attributes go out as one line."""

import threading
from collections import deque

from prometheus_client import Counter

from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent, MalformedEventError, Shot, parse, timestamp
from facefleet.messaging.link import Delivery, Link
from facefleet.runtime import logs
from facefleet.runtime.health import Health
from facefleet.runtime.settings import BrokerSettings, Name

CONDITIONS = ("broker",)
RECENT = 500
SESSION_S = 3600
"""A restarted logger still gets the lines of its absence, up to an hour."""

_log = logs.get("logger")
_seen = Counter("facefleet_faces_seen_total", "Faces that passed the edge broker", ["camera"])


class LoggerSettings(BrokerSettings):
    """What the logger can be told."""

    device: Name


def run(settings: LoggerSettings, health: Health, stop: threading.Event) -> None:
    """Log faces until told to stop."""
    link = Link(
        settings.broker,
        f"{settings.device}-logger",
        identity=settings.broker_identity,
        session_expiry_s=SESSION_S,
        qos=settings.qos,
        subscriptions=[topics.all_faces(settings.topic_prefix)],
        on_message=Journal().log,
        on_state=health.follow("broker"),
    )
    link.start()
    stop.wait()
    link.stop()


class Journal:
    """Writes lines, one for each face: one that is sent again because its receipt got lost has its line."""

    def __init__(self) -> None:
        """Begin without a past."""
        self._recent: deque[str] = deque(maxlen=RECENT)

    def log(self, delivery: Delivery) -> None:
        """Write the line of one message, whatever it is, and let the broker forget it."""
        try:
            event = parse(
                topics.sender(delivery.topic), delivery.content_type, delivery.properties, delivery.payload
            )
        except MalformedEventError as error:
            _log.warning("not a face", topic=delivery.topic, size=len(delivery.payload), reason=str(error))
        else:
            if event.id in self._recent:
                pass
            elif event.camera == topics.PROBE:
                self._recent.append(event.id)
                _log.info("probe", device=event.device, time=timestamp(event.time), id=event.id)
            else:
                self._recent.append(event.id)
                _seen.labels(camera=event.camera).inc()
                _log.info("face", **fields(event))
        delivery.acknowledge()


def fields(event: FaceEvent) -> dict[str, str | int | float]:
    """Return what a line tells of a face; `size` is the image's in bytes."""
    return {
        "device": event.device,
        "camera": event.camera,
        "time": timestamp(event.time),
        "score": round(event.score, 3),
        "box": str(event.box),
        "size": len(event.image),
        "track": event.track,
        **_shot(event.shot),
        "sequence": event.sequence,
        "id": event.id,
    }


def _shot(shot: Shot | None) -> dict[str, str | int | float]:
    if shot is None:
        return {}
    return {
        "shot": f"{shot.number}, the last" if shot.last else shot.number,
        "quality": round(shot.quality, 3),
    }
