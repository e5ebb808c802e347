"""The properties of a PUBLISH, kept as the bytes that they are on the wire.

Who carries a message need not know its attributes, and reading them costs more than all the rest of carrying
it (tests/bench/profile_forwarder.py): only who asks pays. Source: MQTT 5.0, sections 2.2.2 and 3.3.2.3.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from facefleet.messaging.event import MalformedEventError

_PAYLOAD_FORMAT = 0x01
_EXPIRY = 0x02
_CONTENT_TYPE = 0x03
_RESPONSE_TOPIC = 0x08
_CORRELATION = 0x09
_SUBSCRIPTION = 0x0B
_TOPIC_ALIAS = 0x23
_USER = 0x26
_FIXED = {_PAYLOAD_FORMAT: 1, _EXPIRY: 4, _TOPIC_ALIAS: 2}
_ONE_STRING = {_CONTENT_TYPE, _RESPONSE_TOPIC, _CORRELATION}
_END_TO_END = {_PAYLOAD_FORMAT, _CONTENT_TYPE, _USER}
_MOST = 0xFFFF
_CONTINUES = 0x80

_two = struct.Struct("!H")


class MalformedPropertiesError(MalformedEventError):
    """The bytes are not the properties of a PUBLISH."""


class Hop(NamedTuple):
    """What concerns one hop only, and what is to be carried on."""

    response_topic: str | None
    correlation: bytes | None
    end_to_end: bytes
    """Content type and user properties, encoded."""


def encode(
    *,
    content_type: str | None = None,
    user: Sequence[tuple[str, str]] = (),
    response_topic: str | None = None,
    correlation: bytes | None = None,
    expires_s: int | None = None,
) -> bytes:
    """Return the encoded properties, without the length before them.

    Raises:
        MalformedPropertiesError: when one is longer than 65,535 bytes.
    """
    parts = []
    if content_type:
        parts.append(b"\x03" + _string(content_type.encode()))
    for name, value in user:
        parts.append(b"\x26" + _string(name.encode()) + _string(value.encode()))
    if response_topic is not None:
        parts.append(b"\x08" + _string(response_topic.encode()))
    if correlation is not None:
        parts.append(b"\x09" + _string(correlation))
    if expires_s is not None:
        parts.append(struct.pack("!BI", _EXPIRY, expires_s))
    return b"".join(parts)


def hop(raw: bytes) -> Hop:
    """Part what concerns this hop from what is to be carried on.

    Raises:
        MalformedPropertiesError: when they cannot be read.
    """
    response_topic = correlation = None
    kept = []
    kept_from = position = 0
    size = len(raw)
    try:
        while position < size:
            start, kind = position, raw[position]
            # Nearly all are of these two; a generator for them costs more than the rest of taking a message.
            if kind == _USER:
                position += 3 + (raw[position + 1] << 8 | raw[position + 2])
                position += 2 + (raw[position] << 8 | raw[position + 1])
                continue
            if kind == _CONTENT_TYPE:
                position += 3 + (raw[position + 1] << 8 | raw[position + 2])
                continue
            value, position = _value(raw, position)
            if kind == _PAYLOAD_FORMAT:
                continue
            kept.append(raw[kept_from:start])
            kept_from = position
            if kind == _RESPONSE_TOPIC:
                response_topic = _text(raw[value:position])
            elif kind == _CORRELATION:
                correlation = raw[value:position]
    except IndexError:
        position = size + 1
    if position > size:
        raise MalformedPropertiesError("a property ends after the last byte")
    if not kept:
        return Hop(None, None, raw)
    kept.append(raw[kept_from:])
    return Hop(response_topic, correlation, b"".join(kept))


def content_type(raw: bytes) -> str | None:
    """Return the content type, if any.

    Raises:
        MalformedPropertiesError: when they cannot be read.
    """
    for kind, _start, value, end in _walk(raw):
        if kind == _CONTENT_TYPE:
            return _text(raw[value:end])
    return None


def user(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Return the user properties in their order.

    Raises:
        MalformedPropertiesError: when they cannot be read.
    """
    pairs = []
    for kind, start, value, end in _walk(raw):
        if kind == _USER:
            pairs.append((_text(raw[start + 3 : value - 2]), _text(raw[value:end])))
    return tuple(pairs)


def first_user(raw: bytes, name: str) -> str | None:
    """Return the value of a user property by a search for its bytes; None when it is not there."""
    found = raw.find(b"\x26" + _string(name.encode()))
    if found < 0:
        return None
    start = found + 3 + len(name) + 2
    (length,) = _two.unpack_from(raw, start - 2) if start <= len(raw) else (0,)
    return raw[start : start + length].decode(errors="replace")


def _walk(raw: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield for each property its kind, where it begins, where its (last) value begins and where it ends."""
    position, size = 0, len(raw)
    try:
        while position < size:
            start = position
            kind = raw[position]
            position += 1
            if kind == _USER:
                position += 2 + (raw[position] << 8 | raw[position + 1])
            if kind == _USER or kind in _ONE_STRING:
                value = position + 2
                position = value + (raw[position] << 8 | raw[position + 1])
            elif kind in _FIXED:
                value = position
                position += _FIXED[kind]
            elif kind == _SUBSCRIPTION:
                value = position
                while raw[position] & _CONTINUES:
                    position += 1
                position += 1
            else:
                raise MalformedPropertiesError(f"property {kind:#04x} does not belong into a PUBLISH")
            if position > size:
                raise MalformedPropertiesError("a property ends after the last byte")
            yield kind, start, value, position
    except IndexError:
        raise MalformedPropertiesError("a property ends after the last byte") from None


def _value(raw: bytes, position: int) -> tuple[int, int]:
    """Return where the value of a property other than a user's begins and where it ends."""
    kind = raw[position]
    if kind in _ONE_STRING:
        return position + 3, position + 3 + (raw[position + 1] << 8 | raw[position + 2])
    if kind in _FIXED:
        return position + 1, position + 1 + _FIXED[kind]
    if kind == _SUBSCRIPTION:
        end = position + 1
        while raw[end] & _CONTINUES:
            end += 1
        return position + 1, end + 1
    raise MalformedPropertiesError(f"property {kind:#04x} does not belong into a PUBLISH")


def _string(data: bytes) -> bytes:
    if len(data) > _MOST:
        raise MalformedPropertiesError(f"a property of {len(data)} bytes is too long")
    return _two.pack(len(data)) + data


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedPropertiesError(f"a property is not UTF-8: {error}") from None
