"""The events that the bench sends: real attributes, a payload of 20 KB, each unlike any other."""

import io
import os
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime

from facefleet.messaging import topics
from facefleet.messaging.event import Box, FaceEvent
from PIL import Image

from tests.bench import wire

PAYLOAD_BYTES = 20_000
PREFIX = "face_detection"
CAMERA = "lobby"
MARK_BYTES = 4
"""The payload of a `Slot` starts with its number, so that a sink can tell what it has."""
_PNG_END = struct.pack("!I", 0) + b"IEND" + struct.pack("!I", zlib.crc32(b"IEND"))


def event(device: str, number: int, image: bytes) -> FaceEvent:
    """Return an event as a detector makes it."""
    return FaceEvent(
        device=device,
        camera=CAMERA,
        id=identity(number),
        time=datetime.now(UTC),
        sequence=number,
        track=number // 3,
        score=0.5 + number % 500 / 1000,
        box=Box(312, 140, 164, 201),
        image=image,
    )


_RUN = os.urandom(12).hex()


def identity(number: int) -> str:
    """Return an id of 32 hexadecimal digits that no other run has."""
    return f"{_RUN}{number:08x}"


class Slot:
    """One place of the source's window: a packet made once, in which only the numbers change."""

    def __init__(self, device: str, *, answered: bool) -> None:
        image = os.urandom(PAYLOAD_BYTES)
        sample = replace(event(device, 0, image), sequence=900_000_000)
        topic = topics.faces(PREFIX, device, CAMERA)
        ticket = b"\xee" * 12
        encoded = wire.properties(
            sample.attributes(),
            content_type=sample.content_type,
            response_topic=f"receipts/{device}/{CAMERA}" if answered else "",
            correlation=ticket if answered else b"",
        )
        head = wire.publish_head(topic, 0, encoded, len(image))
        self._id_at = head.index(identity(0).encode()) + 24
        self._sequence_at = head.index(b"900000000")
        self._ticket_at = head.index(ticket) if answered else 0
        self._packet_id_at = head.index(topic.encode()) + len(topic)
        self._mark_at = len(head)
        self._packet = bytearray(head + image[:MARK_BYTES])
        self._pieces = (self._packet, image[MARK_BYTES:])

    def filled(self, number: int, packet_id: int) -> tuple[bytearray, bytes]:
        """Return the packet of an event, in pieces."""
        packet = self._packet
        struct.pack_into("!H", packet, self._packet_id_at, packet_id)
        packet[self._id_at : self._id_at + 8] = b"%08x" % number
        packet[self._sequence_at : self._sequence_at + 9] = b"%09d" % number
        if self._ticket_at:
            struct.pack_into("!QI", packet, self._ticket_at, 7, number)
        struct.pack_into("!I", packet, self._mark_at, number)
        return self._pieces


class Pictures:
    """Sound PNG files of about 20 KB, no two alike: noise, and a text chunk with a number."""

    def __init__(self) -> None:
        buffer = io.BytesIO()
        side = int((PAYLOAD_BYTES / 3) ** 0.5)
        Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(buffer, "PNG")
        self._body = buffer.getvalue().removesuffix(_PNG_END)

    def picture(self, number: int) -> bytes:
        chunk = b"tEXt" + b"number\0%d" % number
        return b"".join(
            (
                self._body,
                struct.pack("!I", len(chunk) - 4),
                chunk,
                struct.pack("!I", zlib.crc32(chunk)),
                _PNG_END,
            )
        )


def picture_packet(device: str, number: int, packet_id: int, picture: bytes) -> bytes:
    """Return the packet of an event that a processor stores, as a detector sends it."""
    sample = event(device, number, picture)
    encoded = wire.properties(
        sample.attributes(),
        content_type=sample.content_type,
        response_topic=f"receipts/{device}/{CAMERA}",
        correlation=struct.pack("!QI", 7, number),
    )
    return wire.publish_head(topics.faces(PREFIX, device, CAMERA), packet_id, encoded, len(picture)) + picture
