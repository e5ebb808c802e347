"""The event on the wire: what is written can be read, and what contradicts itself is refused by name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from facefleet.messaging.event import Box, FaceEvent, MalformedEventError, Shot, new_id, parse, timestamp
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MakeEvent

names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 - the zone is drawn
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=zones,
).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
places = st.integers(-999_999, 999_999)
extents = st.integers(1, 999_999)
points = st.tuples(places, places)
shots = st.builds(
    Shot,
    number=st.integers(1, 10**18 - 1),
    last=st.booleans(),
    quality=st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
    frame=st.tuples(extents, extents),
    landmarks=st.just(()) | st.tuples(points, points, points, points, points),
)
events = st.builds(
    FaceEvent,
    device=names,
    camera=names,
    id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
    time=times,
    sequence=st.integers(0, 10**18 - 1),
    track=st.integers(0, 10**18 - 1),
    score=st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
    box=st.builds(Box, places, places, extents, extents),
    image=st.binary(max_size=200),
    content_type=st.sampled_from(["image/png", "image/jpeg"]),
    clock_known=st.booleans(),
    shot=st.none() | shots,
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
ATTRIBUTES = [
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "subject",
    "camera",
    "sequence",
    "sha256",
    "score",
    "box",
    "track",
]


SHOT_ATTRIBUTES = ["shot", "last", "quality", "frame", "landmarks"]


def reparsed(event: FaceEvent, **change: str | None) -> FaceEvent:
    attributes = dict(event.attributes()) | change
    given = [(name, value) for name, value in attributes.items() if value is not None]
    return parse((event.device, event.camera), event.content_type, given, event.image)


@given(events)
def test_what_is_written_is_read_back_unchanged(event: FaceEvent) -> None:
    assert reparsed(event) == event


@given(events)
def test_every_attribute_fits_a_header(event: FaceEvent) -> None:
    shot = SHOT_ATTRIBUTES[: 5 if event.shot.landmarks else 4] if event.shot else []
    clock = [] if event.clock_known else ["clock"]
    assert [name for name, _ in event.attributes()] == ATTRIBUTES + shot + clock
    assert all(value.isascii() and value.isprintable() for _, value in event.attributes())
    assert sum(len(name) + len(value) for name, value in event.attributes()) < 2048


@given(
    sender=st.tuples(text, text) | st.just(("jetson-01", "lobby")),
    content_type=st.none() | text,
    properties=st.lists(st.tuples(st.sampled_from(ATTRIBUTES) | text, text)),
    payload=st.binary(max_size=100),
)
def test_anything_at_all_is_an_event_or_malformed(
    sender: tuple[str, str], content_type: str | None, properties: list[tuple[str, str]], payload: bytes
) -> None:
    with pytest.raises(MalformedEventError):  # nothing random is right in all of its attributes
        parse(sender, content_type, properties, payload)


@given(
    event=events,
    name=st.sampled_from(ATTRIBUTES + SHOT_ATTRIBUTES),
    value=text
    | st.from_regex(r"-?[0-9.,eE:TZ+-]*")
    | st.from_regex(r"[0-9]{1,7}x[0-9]{1,7}|true|false|(-?[0-9]{1,7},-?[0-9]{1,7};?){4,6}", fullmatch=True),
)
def test_one_attribute_of_any_text_is_an_event_or_malformed(event: FaceEvent, name: str, value: str) -> None:
    try:
        read = reparsed(event, **{name: value})
    except MalformedEventError:
        return
    assert read.image == event.image
    shot = read.shot and replace(read.shot, quality=round(read.shot.quality, 3))
    assert reparsed(read) == replace(
        read, score=round(read.score, 3), time=in_milliseconds(read.time), shot=shot
    )


def in_milliseconds(time: datetime) -> datetime:
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "subject"])
def test_a_missing_attribute_is_named(make_event: MakeEvent, name: str) -> None:
    with pytest.raises(MalformedEventError, match=f"attribute {name} is missing"):
        reparsed(make_event(), **{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("specversion", "0.3"),
        ("type", "org.facefleet.face.v2"),
        ("source", "/devices/jetson-02/cameras/lobby"),
        ("camera", "garden"),
        ("id", ""),
        ("id", "../../etc"),
        ("id", "x" * 65),
        ("sha256", "0" * 64),
        ("sha256", "0" * 63),
        ("sha256", "Z" * 64),
        ("time", "yesterday"),
        ("time", "2026-11-22T07:50:01"),
        ("time", "2026-02-30T07:50:01Z"),
        ("time", "0001-01-01T00:00:00+14:00"),
        ("box", "1,2,3"),
        ("box", "1,2,3,4,5"),
        ("box", "1,2,0,4"),
        ("box", "1,2,3,-4"),
        ("box", "a,b,c,d"),
        ("box", "1,2,3," + "4" * 400),
        ("score", "1.001"),
        ("score", "-0.1"),
        ("score", "nan"),
        ("score", "inf"),
        ("score", "high"),
        ("sequence", "-1"),
        ("sequence", "1.5"),
        ("sequence", "9" * 19),
        ("sequence", "²"),
        ("track", ""),
    ],
)
def test_an_impossible_attribute_is_named(make_event: MakeEvent, name: str, value: str) -> None:
    with pytest.raises(MalformedEventError, match=f"^{name} "):
        reparsed(make_event(), **{name: value})


@pytest.mark.parametrize("name", ["", "Lobby", "-lobby", "lob by", "..", "lobby\n", "x" * 64, "løbby"])
@pytest.mark.parametrize("side", ["device", "camera"])
def test_what_is_no_name_in_the_topic_is_refused(make_event: MakeEvent, side: str, name: str) -> None:
    with pytest.raises(MalformedEventError, match="in the topic"):
        reparsed(make_event(**{side: name}))


@pytest.mark.parametrize("content_type", [None, ""])
def test_a_missing_content_type_is_named(make_event: MakeEvent, content_type: str | None) -> None:
    event = make_event()
    with pytest.raises(MalformedEventError, match="content type"):
        parse((event.device, event.camera), content_type, event.attributes(), event.image)


def test_an_image_damaged_on_its_way_is_refused(make_event: MakeEvent) -> None:
    event = make_event()
    with pytest.raises(MalformedEventError, match=r"^sha256 "):
        parse(
            (event.device, event.camera),
            event.content_type,
            event.attributes(),
            event.image[:-1] + b"?",
        )


def test_times_are_written_in_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert timestamp(datetime(2026, 1, 1, 2, 0, 0, 1999, tzinfo=east)) == "2025-12-31T20:30:00.001Z"
    assert timestamp(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


def test_no_two_identities_are_alike() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_a_time_of_an_unsynchronized_clock_is_marked_and_nothing_else_is(make_event: MakeEvent) -> None:
    assert "clock" not in dict(make_event().attributes())
    marked = make_event(clock_known=False)
    assert dict(marked.attributes())["clock"] == "unsynchronized"
    assert reparsed(marked) == marked
    with pytest.raises(MalformedEventError, match="clock is 'fine'"):
        reparsed(marked, clock="fine")


SHOT = Shot(
    2, last=True, quality=0.81, frame=(1920, 1080), landmarks=((1, 2), (3, 4), (5, 6), (7, 8), (-9, 10))
)


def test_a_shot_tells_all_that_is_needed_to_pick_the_best(make_event: MakeEvent) -> None:
    given = dict(make_event(shot=SHOT).attributes())
    assert {name: given[name] for name in ("shot", "last", "quality", "frame", "landmarks")} == {
        "shot": "2",
        "last": "true",
        "quality": "0.810",
        "frame": "1920x1080",
        "landmarks": "1,2;3,4;5,6;7,8;-9,10",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shot", "-1"),
        ("shot", ""),
        ("shot", "1.5"),
        ("shot", "9" * 19),
        ("last", "yes"),
        ("last", "True"),
        ("last", ""),
        ("last", None),
        ("quality", "1.1"),
        ("quality", "nan"),
        ("quality", None),
        ("quality", "good"),
        ("quality", "-0.1"),
        ("frame", "1920"),
        ("frame", "1920,1080"),
        ("frame", "-1920x1080"),
        ("frame", "1920x1080x3"),
        ("frame", "9999999x1080"),
        ("frame", ""),
        ("frame", None),
        ("landmarks", "1,2;3,4"),
        ("landmarks", "1,2;3,4;5,6;7,8;x,y"),
        ("landmarks", "1,2;3,4;5,6;7,8;9,10;11,12"),
        ("landmarks", "1,2;3,4;5,6;7,8;9,10;"),
        ("landmarks", "1.5,2;3,4;5,6;7,8;9,10"),
        ("landmarks", "1,2;3,4;5,6;7,8;9," + "1" * 400),
    ],
)
def test_a_malformed_shot_is_refused_by_name(make_event: MakeEvent, name: str, value: str | None) -> None:
    with pytest.raises(MalformedEventError, match=rf"^(attribute )?{name} "):
        reparsed(make_event(shot=SHOT), **{name: value})


def test_a_frame_without_a_pixel_is_refused(make_event: MakeEvent) -> None:
    with pytest.raises(MalformedEventError, match=r"^frame "):
        reparsed(make_event(shot=SHOT), frame="0x1080")


def test_a_shot_of_a_finder_without_landmarks_is_understood(make_event: MakeEvent) -> None:
    event = make_event(shot=replace(SHOT, landmarks=()))
    assert "landmarks" not in dict(event.attributes())
    assert reparsed(event) == event


def test_a_shot_is_read_back_unchanged(make_event: MakeEvent) -> None:
    assert reparsed(make_event(shot=SHOT)).shot == SHOT


def test_who_chooses_no_shots_is_understood(make_event: MakeEvent) -> None:
    assert reparsed(make_event()).shot is None
