"""The logger's line tells what was seen, and every message is acknowledged, a face or not."""

from dataclasses import replace
from datetime import UTC, datetime

from facefleet.logger.service import Journal, fields
from facefleet.messaging.event import Box, Shot
from prometheus_client import REGISTRY

from tests.conftest import MakeDelivery, MakeEvent
from tests.unit.conftest import Lines


def test_the_line_of_a_face_tells_who_when_where_and_how_large(
    make_event: MakeEvent, make_delivery: MakeDelivery, lines: Lines
) -> None:
    event = make_event(time=datetime(2026, 3, 1, 12, tzinfo=UTC), score=0.9, box=Box(1, 2, 30, 40), id="a-1")
    acknowledged: list[bool] = []
    Journal().log(make_delivery(event, acknowledge=lambda: acknowledged.append(True)))
    assert lines == [
        {
            "event": "face",
            "log_level": "info",
            "device": "jetson-01",
            "camera": "lobby",
            "time": "2026-03-01T12:00:00.000Z",
            "score": 0.9,
            "box": "1,2,30,40",
            "size": len(event.image),
            "track": event.track,
            "sequence": event.sequence,
            "id": "a-1",
        }
    ]
    assert acknowledged == [True]


def test_the_score_has_three_decimals_at_most(make_event: MakeEvent) -> None:
    assert fields(make_event(score=2 / 3))["score"] == 0.667


def test_the_line_of_a_shot_tells_which_it_is_and_how_good(make_event: MakeEvent) -> None:
    shot = Shot(3, last=False, quality=2 / 3, frame=(640, 480))
    told = fields(make_event(shot=shot))
    assert (told["shot"], told["quality"]) == (3, 0.667)
    assert fields(make_event(shot=replace(shot, last=True)))["shot"] == "3, the last"
    assert not {"shot", "quality"} & set(fields(make_event()))


def test_what_is_no_face_is_said_and_acknowledged_too(
    make_event: MakeEvent, make_delivery: MakeDelivery, lines: Lines
) -> None:
    acknowledged: list[bool] = []
    event = make_event()
    Journal().log(make_delivery(event, change={"box": "wide"}, acknowledge=lambda: acknowledged.append(True)))
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("warning", "not a face")
    assert line["reason"] == "box 'wide' is not x,y,width,height"
    assert line["topic"] == "face_detection/jetson-01/lobby"
    assert line["size"] == len(event.image)
    assert acknowledged == [True]


def test_a_probe_is_no_face(make_event: MakeEvent, make_delivery: MakeDelivery, lines: Lines) -> None:
    journal = Journal()
    event = make_event(camera="probe", time=datetime(2026, 3, 1, 12, tzinfo=UTC), id="a-1")
    before = seen("probe")
    for _ in range(2):
        journal.log(make_delivery(event))
    assert lines == [
        {
            "event": "probe",
            "log_level": "info",
            "device": "jetson-01",
            "time": "2026-03-01T12:00:00.000Z",
            "id": "a-1",
        }
    ]
    assert seen("probe") == before


def seen(camera: str) -> float | None:
    return REGISTRY.get_sample_value("facefleet_faces_seen_total", {"camera": camera})


def test_a_face_that_is_sent_again_has_its_line(
    make_event: MakeEvent, make_delivery: MakeDelivery, lines: Lines
) -> None:
    journal = Journal()
    event, other = make_event(), make_event()
    for each in (event, other, event):
        journal.log(make_delivery(each))
    assert [line["id"] for line in lines] == [event.id, other.id]
