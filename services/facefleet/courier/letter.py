"""How a message lies in a spool: topic, encoded properties and payload behind a small head."""

import hashlib
import struct
import zlib
from dataclasses import dataclass

from facefleet.custody.entry import Entry
from facefleet.messaging import properties
from facefleet.messaging.event import FaceEvent

_FORM = 1
_head = struct.Struct("!BHI")
_ID = properties.encode(user=[("id", "")])[:-2]
"""How a user property `id` begins."""


class UnreadableLetterError(ValueError):
    """The bytes are no letter of a form that this release knows."""


@dataclass(slots=True)
class Letter:
    """A message between two hops; `properties` are encoded, without what concerned one hop only."""

    topic: bytes
    properties: bytes
    payload: bytes | memoryview

    def entry(self) -> Entry:
        """Return what the spool is given."""
        head = b"".join(
            (_head.pack(_FORM, len(self.topic), len(self.properties)), self.topic, self.properties)
        )
        return Entry((head, bytes(self.payload)), self.key, self.score)

    @classmethod
    def read(cls, body: bytes) -> "Letter":
        """Read it again.

        Raises:
            UnreadableLetterError: when it was written by a release that we do not know, or is damaged.
        """
        try:
            form, topic_size, properties_size = _head.unpack_from(body)
        except struct.error as error:
            raise UnreadableLetterError(str(error)) from error
        topic_end = _head.size + topic_size
        end = topic_end + properties_size
        if form != _FORM or end > len(body):
            raise UnreadableLetterError(f"form {form}, {len(body)} bytes")
        return cls(body[_head.size : topic_end], body[topic_end:end], memoryview(body)[end:])

    @property
    def key(self) -> int:
        """Return 64 bits that tell letters apart: what has an id is the same when all its attributes are."""
        digest = hashlib.blake2b(self.topic, digest_size=8)
        digest.update(self.properties)
        if _ID not in self.properties:
            digest.update(zlib.crc32(self.payload).to_bytes(4, "big"))
        return int.from_bytes(digest.digest(), "big")

    @property
    def score(self) -> float:
        """Return the score that the attributes tell, 0 to 1; without one, 0."""
        said = properties.first_user(self.properties, "score")
        try:
            score = float(said) if said else 0.0
        except ValueError:
            return 0.0
        return score if 0.0 <= score <= 1.0 else 0.0


def letter_of(topic: str, event: FaceEvent) -> Letter:
    """Return the letter of a face event."""
    encoded = properties.encode(content_type=event.content_type, user=event.attributes())
    return Letter(topic.encode(), encoded, event.image)
