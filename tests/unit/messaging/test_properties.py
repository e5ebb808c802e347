"""Properties are written as paho writes them, and parted without being read."""

import pytest
from facefleet.messaging import properties
from facefleet.messaging.properties import MalformedPropertiesError, encode, hop
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=6)


def as_paho_reads(raw: bytes) -> object:
    read = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    length = bytes([len(raw) & 0x7F | 0x80, len(raw) >> 7]) if len(raw) > 127 else bytes([len(raw)])
    read.unpack(length + raw)  # type: ignore[no-untyped-call]
    return read


@given(PAIRS, TEXT, TEXT, st.binary(max_size=64), st.integers(0, 0xFFFFFFFF))
def test_another_implementation_reads_what_is_written(
    pairs: list[tuple[str, str]], content_type: str, response_topic: str, correlation: bytes, expires_s: int
) -> None:
    raw = encode(
        content_type=content_type,
        user=pairs,
        response_topic=response_topic,
        correlation=correlation,
        expires_s=expires_s,
    )
    read = as_paho_reads(raw)
    assert getattr(read, "UserProperty", []) == pairs
    assert getattr(read, "ContentType", "") == content_type
    names = ("ResponseTopic", "CorrelationData", "MessageExpiryInterval")
    assert [getattr(read, name) for name in names] == [response_topic, correlation, expires_s]


@given(PAIRS, TEXT, st.binary(max_size=64), st.permutations(range(4)))
def test_what_concerns_one_hop_is_parted_from_the_rest_in_any_order(
    pairs: list[tuple[str, str]], content_type: str, correlation: bytes, order: list[int]
) -> None:
    parts = [
        encode(content_type=content_type, user=pairs),
        encode(response_topic="receipts/x", expires_s=7),
        encode(correlation=correlation),
        b"\x0b\x80\x01" + b"\x23\x00\x05",  # what a broker may add: a subscription and an alias
    ]
    raw = b"".join(parts[place] for place in order)
    parted = hop(raw)
    assert (parted.response_topic, parted.correlation) == ("receipts/x", correlation)
    assert parted.end_to_end == parts[0]
    assert properties.user(raw) == tuple(pairs)
    assert properties.content_type(raw) == (content_type or None)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for read in (hop, properties.user, properties.content_type):
        try:
            read(raw)
        except MalformedPropertiesError:
            continue


@given(PAIRS, st.binary(max_size=30))
def test_one_attribute_is_found_by_its_bytes(pairs: list[tuple[str, str]], junk: bytes) -> None:
    raw = encode(user=[*pairs, ("score", "0.75")])
    first = next((value for name, value in [*pairs, ("score", "0.75")] if name == "score"), None)
    if not any("score" in name or "score" in value for name, value in pairs):
        assert properties.first_user(raw, "score") == first
    properties.first_user(junk + b"&\x00\x05score", "score")


def test_a_property_that_is_too_long_is_refused() -> None:
    with pytest.raises(MalformedPropertiesError, match="70000 bytes"):
        encode(content_type="x" * 70_000)
