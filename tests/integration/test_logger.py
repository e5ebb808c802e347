"""What passes a real broker is in the logger's log."""

import re

from facefleet.messaging.event import timestamp
from facefleet.messaging.link import Outcome

from tests.conftest import MakeEvent
from tests.integration.conftest import MakeLink, MakeService
from tests.integration.containers import Broker
from tests.integration.edge_site import Camera
from tests.integration.waiting import await_until


def test_each_face_is_a_line_also_after_an_absence(
    broker: Broker, device: str, make_service: MakeService, make_link: MakeLink, make_event: MakeEvent
) -> None:
    logger = make_service(
        "logger",
        {"FACEFLEET_BROKER": broker.url, "FACEFLEET_DEVICE": device, "FACEFLEET_TOPIC_PREFIX": device},
    )
    logger.await_healthy()
    camera = Camera(make_link(broker.port), device)
    event = make_event(device=device)
    await_until(lambda: camera.publish(event) == [Outcome.ACCEPTED], 10, "the logger has subscribed")
    line = await_until(lambda: logger.lines("event=face"), 10, "the line is there")[-1]
    fields = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))
    del fields["at"]
    assert fields == {
        "level": "info",
        "service": "logger",
        "event": "face",
        "device": device,
        "camera": "lobby",
        "time": timestamp(event.time),
        "score": "0.875",
        "box": "10,20,30,40",
        "size": str(len(event.image)),
        "track": "3",
        "sequence": str(event.sequence),
        "id": event.id,
    }
    assert logger.stop() == 0
    missed = make_event(device=device)
    assert camera.publish(missed) == [Outcome.ACCEPTED]
    camera.publish(make_event(device=device), payload=b"no face")
    logger.start()
    await_until(lambda: logger.lines("event=face", missed.id), 15, "what it missed is there")
    await_until(lambda: logger.lines("level=warning", "not a face", "sha256 is"), 15, "so is what is no face")
