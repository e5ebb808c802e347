"""What becomes of a message: an object under `faces/`, or a dead letter that says why not."""

import hashlib
import io
import urllib.parse
from dataclasses import dataclass, replace

from PIL import Image

from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent, MalformedEventError, parse
from facefleet.messaging.link import Delivery

EXTENSIONS = {"image/png": ("PNG", "png"), "image/jpeg": ("JPEG", "jpg"), "image/webp": ("WEBP", "webp")}
METADATA_MOST_CHARS = 250
"""Of one value: S3 takes 2 KB of metadata in all, and a dead letter has six."""
KEY_PART_MOST_CHARS = 100
"""S3 takes keys of 1024 bytes, SeaweedFS 255 between slashes."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One object to be put. `rejected` tells why it is a dead letter, and is empty for a face."""

    key: str
    device: str
    body: bytes
    content_type: str
    metadata: dict[str, str]
    rejected: str = ""

    def without_body(self) -> "Parcel":
        """Return the same parcel, emptied: for what S3 takes in no form."""
        return replace(self, body=b"")


def judge(delivery: Delivery, image_max_bytes: int) -> Parcel:
    """Decide where a message belongs. The same message always gets the same key."""
    try:
        event = parse(
            topics.sender(delivery.topic), delivery.content_type, delivery.properties, delivery.payload
        )
        extension = _extension(event, image_max_bytes)
    except MalformedEventError as error:
        return dead_letter(delivery, str(error))
    return Parcel(
        key=face_key(event, extension),
        device=event.device,
        body=event.image,
        content_type=event.content_type,
        metadata=dict(event.attributes()),
    )


def face_key(event: FaceEvent, extension: str) -> str:
    """Return `faces/<device>/<camera>/<yyyy>/<mm>/<dd>/<time>-<id>.<extension>`, time in UTC."""
    milliseconds = event.time.microsecond // 1000
    stamp = f"{event.time:%Y%m%dT%H%M%S}.{milliseconds:03d}Z"
    return f"faces/{event.device}/{event.camera}/{event.time:%Y/%m/%d}/{stamp}-{event.id}.{extension}"


def dead_letter(delivery: Delivery, reason: str) -> Parcel:
    """Return the parcel of a message that can never be a face."""
    device, _, camera = delivery.topic.partition("/")[2].partition("/")
    digest = hashlib.sha256(repr(delivery.properties).encode() + delivery.payload).hexdigest()
    given = {name: value for name, value in delivery.properties if name in ("id", "source", "time", "type")}
    sender = "/".join(_printable(name, KEY_PART_MOST_CHARS) for name in (device, camera))
    return Parcel(
        key=f"dead-letter/{sender}/{digest}",
        device=device,
        body=delivery.payload,
        content_type="application/octet-stream",
        metadata={
            name: _printable(value, METADATA_MOST_CHARS, "/")
            for name, value in {"reason": reason, "topic": delivery.topic, **given}.items()
        },
        rejected=reason,
    )


def _extension(event: FaceEvent, image_max_bytes: int) -> str:
    """Return the file name's extension of an image that is sound and small enough."""
    if len(event.image) > image_max_bytes:
        raise MalformedEventError(f"{len(event.image)} bytes are more than image_max_bytes={image_max_bytes}")
    try:
        form, extension = EXTENSIONS[event.content_type]
    except KeyError:
        raise MalformedEventError(
            f"content type {event.content_type!r} is none of {', '.join(EXTENSIONS)}"
        ) from None
    try:
        with Image.open(io.BytesIO(event.image), formats=[form]) as image:
            image.verify()
    except Exception as error:  # noqa: BLE001 - Pillow has many ways to say it, IndexError among them
        raise MalformedEventError(f"the payload is no sound {form}: {error}") from None
    return extension


def _printable(text: str, most: int, also_safe: str = "") -> str:
    """Headers and keys take plain ASCII only; the rest is percent-encoded, and a lone dot is no name."""
    quoted = urllib.parse.quote(text[:most], safe=" !#$&'()*+,-:;<=>?@[]^_{|}~." + also_safe)[:most]
    return quoted if quoted.strip(". ") else "unnamed"
