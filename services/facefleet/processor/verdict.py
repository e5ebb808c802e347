"""What becomes of a message: an object under `faces/` or `probes/`, or a dead letter that says why not."""

import hashlib
import io
import json
import urllib.parse
from dataclasses import dataclass, replace

from PIL import Image, UnidentifiedImageError

from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import FaceEvent, MalformedEventError, parse
from facefleet.messaging.properties import MalformedPropertiesError
from facefleet.storage.put import Upload

EXTENSIONS = {"image/png": ("PNG", "png"), "image/jpeg": ("JPEG", "jpg"), "image/webp": ("WEBP", "webp")}
PROBES = "probes/"
METADATA_MOST_CHARS = 250
"""Of one value: S3 takes 2 KB of metadata in all, and a dead letter has six."""
KEY_PART_MOST_CHARS = 100
"""S3 takes keys of 1024 bytes, SeaweedFS 255 between slashes."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One object to be put. `rejected` tells why it is a dead letter, and is empty for a face."""

    upload: Upload
    device: str
    rejected: str = ""

    @property
    def key(self) -> str:
        """Return the object's key."""
        return self.upload.key

    @property
    def is_probe(self) -> bool:
        """Return whether it is no face but the proof that the way is open."""
        return self.upload.key.startswith(PROBES)

    def notice(self) -> bytes:
        """Return what is told of a stored face, JSON: its key and its attributes."""
        return json.dumps({"key": self.key, "attributes": dict(self.upload.metadata)}).encode()

    def without_body(self) -> "Parcel":
        """Return the same parcel, emptied: for what S3 takes in no form."""
        return replace(self, upload=replace(self.upload, body=b"", digest=_digest(b"")))


def judge(delivery: Delivery, image_max_bytes: int) -> Parcel:
    """Decide where a message belongs. The same message always gets the same key."""
    try:
        event = parse(
            topics.sender(delivery.topic), delivery.content_type, delivery.properties, delivery.payload
        )
        extension = _extension(event, image_max_bytes)
    except (MalformedEventError, MalformedPropertiesError) as error:
        return dead_letter(delivery, str(error))
    metadata = dict(event.attributes())
    digest = bytes.fromhex(metadata["sha256"])
    key = probe_key(event, extension) if event.camera == topics.PROBE else face_key(event, extension)
    return Parcel(Upload(key, event.image, digest, event.content_type, metadata), event.device)


def face_key(event: FaceEvent, extension: str) -> str:
    """Return `faces/<device>/<camera>/<yyyy>/<mm>/<dd>/<time>-<id>.<extension>`, time in UTC."""
    return f"faces/{event.device}/{event.camera}/{event.time:%Y/%m/%d}/{_stamp(event)}-{event.id}.{extension}"


def probe_key(event: FaceEvent, extension: str) -> str:
    """Return `probes/<device>/<time>-<id>.<extension>`, time in UTC."""
    return f"{PROBES}{event.device}/{_stamp(event)}-{event.id}.{extension}"


def dead_letter(delivery: Delivery, reason: str) -> Parcel:
    """Return the parcel of a message that can never be a face."""
    device, _, camera = delivery.topic.partition("/")[2].partition("/")
    try:
        properties = delivery.properties
    except MalformedPropertiesError:
        properties = ()
    given = {name: value for name, value in properties if name in ("id", "source", "time", "type")}
    sender = "/".join(_printable(name, KEY_PART_MOST_CHARS) for name in (device, camera))
    upload = Upload(
        key=f"dead-letter/{sender}/{_digest(repr(properties).encode() + delivery.payload).hex()}",
        body=delivery.payload,
        digest=_digest(delivery.payload),
        content_type="application/octet-stream",
        metadata={
            name: _printable(value, METADATA_MOST_CHARS, "/")
            for name, value in {"reason": reason, "topic": delivery.topic, **given}.items()
        },
    )
    return Parcel(upload, device, reason)


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
    except UnidentifiedImageError:  # its text has an address of memory, another each time
        raise MalformedEventError(f"the payload is no sound {form}: it is something else") from None
    except Exception as error:  # noqa: BLE001 - Pillow has many ways to say it, IndexError among them
        raise MalformedEventError(f"the payload is no sound {form}: {error}") from None
    return extension


def _stamp(event: FaceEvent) -> str:
    return f"{event.time:%Y%m%dT%H%M%S}.{event.time.microsecond // 1000:03d}Z"


def _printable(text: str, most: int, also_safe: str = "") -> str:
    """Headers and keys take plain ASCII only; the rest is percent-encoded, and a lone dot is no name."""
    quoted = urllib.parse.quote(text[:most], safe=" !#$&'()*+,-:;<=>?@[]^_{|}~." + also_safe)[:most]
    return quoted if quoted.strip(". ") else "unnamed"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
