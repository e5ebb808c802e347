"""What becomes of a message: a face under its key, or a dead letter that says why not."""

import re
import struct
import zlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from facefleet.messaging.event import new_id
from facefleet.messaging.link import Delivery
from facefleet.processor.verdict import judge
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MakeDelivery, MakeEvent, encoded

MOST = 100_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHUNKS = (
    b"IHDR PLTE IDAT IEND tRNS pHYs iCCP gAMA cHRM sRGB eXIf acTL fcTL fdAT iTXt zTXt tEXt cICP tIME"
).split()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def test_a_face_has_the_key_and_the_metadata_of_its_event(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    event = make_event(id="a1b2", time=datetime(2026, 11, 22, 7, 50, 1, 123456, tzinfo=UTC))
    parcel = judge(make_delivery(event), MOST)
    assert parcel.key == "faces/jetson-01/lobby/2026/11/22/20261122T075001.123Z-a1b2.png"
    assert parcel.upload.body == event.image
    assert parcel.upload.content_type == "image/png"
    assert parcel.device == "jetson-01"
    assert parcel.rejected == ""
    assert parcel.upload.metadata == {
        "specversion": "1.0",
        "id": "a1b2",
        "source": "/devices/jetson-01/cameras/lobby",
        "type": "org.facefleet.face.v1",
        "time": "2026-11-22T07:50:01.123Z",
        "subject": "track/3",
        "camera": "lobby",
        "sequence": str(event.sequence),
        "sha256": event.sha256,
        "score": "0.875",
        "box": "10,20,30,40",
        "track": "3",
    }


def test_a_probe_is_stored_beside_the_faces(make_event: MakeEvent, make_delivery: MakeDelivery) -> None:
    event = make_event(camera="probe", id="a1b2", time=datetime(2026, 11, 22, 7, 50, 1, 123456, tzinfo=UTC))
    parcel = judge(make_delivery(event), MOST)
    assert parcel.key == "probes/jetson-01/20261122T075001.123Z-a1b2.png"
    assert (parcel.is_probe, parcel.rejected, parcel.upload.body) == (True, "", event.image)
    damaged = judge(make_delivery(make_event(camera="probe", image=b"no picture")), MOST)
    assert damaged.key.startswith("dead-letter/jetson-01/probe/")
    assert not damaged.is_probe


@pytest.mark.parametrize("hours", [-14, -5.5, 0, 5.75, 14])
def test_the_key_is_in_utc_whatever_the_zone_of_the_event(
    make_event: MakeEvent, make_delivery: MakeDelivery, hours: float
) -> None:
    local = datetime(2026, 12, 31, 23, 59, 59, 999000, tzinfo=UTC).astimezone(
        timezone(timedelta(hours=hours))
    )
    delivery = make_delivery(make_event(id="x"), change={"time": local.isoformat()})
    assert judge(delivery, MOST).key == "faces/jetson-01/lobby/2026/12/31/20261231T235959.999Z-x.png"


@pytest.mark.parametrize(("form", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_each_kind_of_image_has_its_extension(
    make_event: MakeEvent, make_delivery: MakeDelivery, form: str, extension: str
) -> None:
    event = make_event(image=encoded(form), content_type=f"image/{form.lower()}")
    parcel = judge(make_delivery(event), MOST)
    assert parcel.key.endswith(f"-{event.id}.{extension}")
    assert parcel.upload.content_type == f"image/{form.lower()}"


def test_the_same_message_has_the_same_key_and_another_has_another(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    event, other = make_event(), make_event()
    assert judge(make_delivery(event), MOST) == judge(make_delivery(event, redelivered=True), MOST)
    assert judge(make_delivery(event), MOST).key != judge(make_delivery(other), MOST).key


def is_dead_letter(delivery: Delivery, reason: str) -> None:
    parcel = judge(delivery, MOST)
    assert re.fullmatch(r"dead-letter/[^/]+/[^/]+/[0-9a-f]{64}", parcel.key)
    assert re.search(reason, parcel.rejected)
    assert re.search(reason, parcel.upload.metadata["reason"])
    assert parcel.upload.body == delivery.payload
    assert parcel.upload.content_type == "application/octet-stream"
    assert judge(delivery, MOST) == parcel


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "no sound PNG"),
        (b"GIF89a" + bytes(100), "no sound PNG"),
        (b"<svg/>", "no sound PNG"),
        (encoded("JPEG"), "no sound PNG"),
        (encoded("PNG")[:-12], "no sound PNG"),
        (encoded("PNG")[:40], "no sound PNG"),
        (encoded("PNG").replace(b"IDAT", b"IDAX"), "no sound PNG"),
        (encoded("PNG")[:50] + b"?" + encoded("PNG")[51:], "no sound PNG"),
        (PNG_SIGNATURE + header(60_000, 60_000), "no sound PNG"),
        (bytes(MOST + 1), f"{MOST + 1} bytes are more than image_max_bytes={MOST}"),
    ],
    ids=[
        "empty", "gif", "svg", "jpeg that says png", "no end", "truncated", "no image data",
        "one byte flipped", "decompression bomb", "too large",
    ],
)  # fmt: skip
def test_what_is_no_sound_image_is_a_dead_letter(
    make_event: MakeEvent, make_delivery: MakeDelivery, image: bytes, reason: str
) -> None:
    is_dead_letter(make_delivery(make_event(image=image)), reason)


@pytest.mark.parametrize("content_type", ["image/gif", "text/html", "IMAGE/PNG", "image/png; q=1"])
def test_an_unknown_content_type_is_a_dead_letter(
    make_event: MakeEvent, make_delivery: MakeDelivery, content_type: str
) -> None:
    is_dead_letter(make_delivery(make_event(content_type=content_type)), re.escape(content_type))


def test_a_forged_source_is_a_dead_letter_of_the_sender(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    delivery = make_delivery(make_event(), change={"source": "/devices/jetson-02/cameras/lobby"})
    is_dead_letter(delivery, "source is '/devices/jetson-02")
    assert judge(delivery, MOST).key.startswith("dead-letter/jetson-01/lobby/")


def test_a_message_that_is_no_event_at_all_is_a_dead_letter(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    is_dead_letter(make_delivery(make_event(), properties=()), "attribute specversion is missing")


def test_a_dead_letter_keeps_what_it_said_of_itself(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    event = make_event()
    metadata = judge(make_delivery(event, change={"score": "7"}), MOST).upload.metadata
    assert metadata == {
        "reason": "score '7' is not between 0 and 1",
        "topic": "face_detection/jetson-01/lobby",
        "id": event.id,
        "source": "/devices/jetson-01/cameras/lobby",
        "time": "2026-11-22T07:50:01.123Z",
        "type": "org.facefleet.face.v1",
    }


text = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    topic=st.lists(text | st.sampled_from(["", "..", ".", " ", "~", "ü" * 300, "x" * 300])).map("/".join),
    properties=st.lists(
        st.tuples(st.sampled_from(["id", "source", "time", "type", "reason"]), text | st.just("ö" * 9000))
    ),
    content_type=st.none() | text,
    payload=st.binary(max_size=50),
)
def test_whatever_comes_is_put_under_a_key_and_metadata_that_s3_takes(
    topic: str, properties: list[tuple[str, str]], content_type: str | None, payload: bytes
) -> None:
    parcel = judge(Delivery.of(topic, payload, content_type=content_type, properties=properties), MOST)
    assert parcel.key.isascii()
    assert parcel.key.isprintable()
    assert len(parcel.key) <= 1024
    parts = parcel.key.split("/")
    assert parts[0] == "dead-letter"
    assert len(parts) == 4
    assert all(0 < len(part) <= 255 and part.strip(". ") for part in parts)
    assert all(value.isascii() and value.isprintable() for value in parcel.upload.metadata.values())
    assert sum(len(name) + len(value) for name, value in parcel.upload.metadata.items()) <= 2048
    assert parcel.upload.metadata["reason"]


contents = st.binary(max_size=60) | st.binary(max_size=30).map(lambda rest: b"name\0" + rest)


@given(
    st.lists(st.builds(chunk, st.sampled_from(CHUNKS), contents), max_size=5).map(b"".join),
    st.sampled_from([b"", header(4, 4)]),
)
def test_a_png_of_odd_chunks_is_a_face_or_a_dead_letter(
    make_event: MakeEvent, make_delivery: MakeDelivery, chunks: bytes, first: bytes
) -> None:
    """Whatever the decoder makes of it, it must not end the processor."""
    event = make_event(image=PNG_SIGNATURE + first + chunks + chunk(b"IEND", b""))
    assert judge(make_delivery(event), MOST).key.startswith(("faces/", "dead-letter/"))


def test_a_png_without_any_pixels_is_a_dead_letter(
    make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    """Pillow raises IndexError here, which must not end the processor, again and again."""
    image = PNG_SIGNATURE + header(4, 4) + chunk(b"IEND", b"")
    is_dead_letter(make_delivery(make_event(image=image)), "no sound PNG")


@given(st.data())
def test_damaged_images_are_faces_or_dead_letters(
    make_event: MakeEvent, make_delivery: MakeDelivery, data: st.DataObject
) -> None:
    form = data.draw(st.sampled_from(["JPEG", "WEBP", "PNG"]))
    image = bytearray(encoded(form))
    for at in data.draw(st.lists(st.integers(0, len(image) - 1), min_size=1, max_size=5)):
        image[at] = data.draw(st.integers(0, 255))
    event = make_event(id=new_id(), image=bytes(image), content_type=f"image/{form.lower()}")
    assert judge(make_delivery(event), MOST).key.startswith(("faces/", "dead-letter/"))
