"""A message comes out of a spool as it went in."""

import pytest
from facefleet.courier.letter import Letter, UnreadableLetterError, letter_of
from facefleet.messaging.properties import encode
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import MakeEvent


@given(st.binary(max_size=100), st.binary(max_size=300), st.binary(max_size=300))
def test_it_is_read_as_it_was_written(topic: bytes, properties: bytes, payload: bytes) -> None:
    letter = Letter(topic, properties, payload)
    assert Letter.read(b"".join(letter.entry().parts)) == letter


@given(st.binary(max_size=40))
def test_junk_is_a_letter_or_refused(body: bytes) -> None:
    try:
        Letter.read(body)
    except UnreadableLetterError:
        return


def test_a_form_of_the_future_is_refused() -> None:
    body = b"".join(Letter(b"t", b"", b"x").entry().parts)
    with pytest.raises(UnreadableLetterError, match="form 2"):
        Letter.read(b"\x02" + body[1:])


def test_form_1_stays_readable() -> None:
    """As the release that introduced it wrote it."""
    body = bytes.fromhex("01000500000009") + b"f/a/b" + b"\x26\x00\x02id\x00\x02x1" + b"face"
    assert Letter.read(body) == Letter(b"f/a/b", encode(user=[("id", "x1")]), b"face")


def test_one_event_has_one_key_and_its_score(make_event: MakeEvent) -> None:
    event, other = make_event(score=0.5), make_event(score=0.5)
    assert letter_of("f/a/b", event).key == letter_of("f/a/b", event).key
    assert letter_of("f/a/b", event).key != letter_of("f/a/b", other).key
    assert letter_of("f/a/b", event).entry().score == 0.5


def test_what_has_no_id_is_told_apart_by_its_payload() -> None:
    properties = encode(user=[("score", "nan")])
    one, other = Letter(b"t", properties, b"one"), Letter(b"t", properties, b"other")
    assert one.key != other.key
    assert one.key == Letter(b"t", properties, memoryview(b"one")).key
    assert one.score == 0.0
