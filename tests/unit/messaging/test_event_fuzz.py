"""Whatever a broker brings: an event or a malformed one, and a parcel that S3 takes."""

import re
from dataclasses import replace

from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import FaceEvent, MalformedEventError, Shot, parse
from facefleet.messaging.properties import MalformedPropertiesError
from facefleet.processor.verdict import judge
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MakeDelivery, MakeEvent, encoded

MOST = 100_000
KEY = re.compile(r"(faces|dead-letter)(/[ -.0-~]{1,255}){2,7}")
NAMES = [
    "specversion", "id", "source", "type", "time", "subject", "camera", "sequence", "sha256", "score", "box",
    "track", "clock", "shot", "last", "quality", "frame", "landmarks",
]  # fmt: skip

SHOT = Shot(
    2, last=False, quality=0.7, frame=(1920, 1080), landmarks=((1, 2), (3, 4), (5, 6), (7, 8), (-9, 0))
)

words = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.sampled_from(["", "ö" * 9000, "a\r\nb: c", "\x00", "..", "1e999", "nan", "-0", "9" * 30])
    | st.from_regex(r"[0-9TZ:.+,/;x-]{0,30}", fullmatch=True)
)
levels = words | st.sampled_from(["jetson-01", "lobby", "x" * 300])
raws = st.binary(max_size=120) | st.lists(
    st.sampled_from([b"\x26\x00\x02id\x00\x01a", b"\x03\x00\x09image/png", b"\x09\x00\x01x", b"\x0b\x80"])
    | st.binary(max_size=10),
    max_size=8,
).map(b"".join)


def is_taken_by_s3(delivery: Delivery) -> None:
    """Judge it, and check what S3 asks of keys and metadata."""
    upload = judge(delivery, MOST).upload
    assert KEY.fullmatch(upload.key)
    assert len(upload.key) <= 1024
    assert all(part.strip(". ") for part in upload.key.split("/"))
    assert upload.body == delivery.payload
    assert len(upload.digest) == 32
    assert re.fullmatch(r"[a-z]+/[a-z-]+", upload.content_type)
    assert all(re.fullmatch(r"[a-z0-9]+", name) for name in upload.metadata)
    assert all(value.isascii() and value.isprintable() for value in upload.metadata.values())
    assert sum(len(name) + len(value) for name, value in upload.metadata.items()) <= 2048


def read(delivery: Delivery) -> FaceEvent | None:
    """Parse it; nothing but the two errors may come of it."""
    try:
        return parse(
            topics.sender(delivery.topic), delivery.content_type, delivery.properties, delivery.payload
        )
    except (MalformedEventError, MalformedPropertiesError):
        return None


@given(st.lists(levels, max_size=4).map("/".join), raws, st.binary(max_size=60))
def test_any_bytes_for_properties(topic: str, raw: bytes, payload: bytes) -> None:
    delivery = Delivery(topic, payload, raw, qos=1, redelivered=False, acknowledge=lambda: None)
    read(delivery)
    is_taken_by_s3(delivery)


@given(
    changes=st.dictionaries(st.sampled_from(NAMES), st.none() | words, max_size=4),
    extra=st.lists(st.tuples(st.sampled_from(NAMES) | words, words), max_size=3),
    content_type=st.none() | words | st.sampled_from(["image/png", "image/jpeg", "image/webp"]),
    payload=st.none() | st.binary(max_size=60) | st.sampled_from([encoded("JPEG"), encoded("PNG")[:40]]),
    level=st.none() | levels,
    shot=st.sampled_from([None, SHOT, replace(SHOT, landmarks=())]),
)
def test_an_event_with_anything_changed(  # noqa: PLR0917 - hypothesis gives them by name
    make_event: MakeEvent,
    make_delivery: MakeDelivery,
    changes: dict[str, str | None],
    extra: list[tuple[str, str]],
    content_type: str | None,
    payload: bytes | None,
    level: str | None,
    shot: Shot | None,
) -> None:
    event = make_event(shot=shot)
    sound = make_delivery(event, change=changes)
    delivery = Delivery.of(
        sound.topic if level is None else topics.faces("face_detection", event.device, level),
        event.image if payload is None else payload,
        content_type=content_type,
        properties=[*sound.properties, *extra],
    )
    found = read(delivery)
    is_taken_by_s3(delivery)
    if found is None:
        assert judge(delivery, MOST).rejected
    else:
        assert found.image == delivery.payload
        assert found.source == f"/devices/{found.device}/cameras/{found.camera}"
