"""The face event and its form on the wire: CloudEvents 1.0 over MQTT 5, binary mode.

The payload is the image; every attribute is a user property; the content type is MQTT's own.
Source: CloudEvents MQTT protocol binding 1.0.2, section 3.1.
"""

import hashlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

TYPE = "org.facefleet.face.v1"
SPECVERSION = "1.0"
PNG = "image/png"
UNSYNCHRONIZED = "unsynchronized"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_BOX = re.compile(r"(-?[0-9]{1,6}),(-?[0-9]{1,6}),([0-9]{1,6}),([0-9]{1,6})")
_SIZE = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})")
_LANDMARKS = re.compile(r"-?[0-9]{1,6},-?[0-9]{1,6}(;-?[0-9]{1,6},-?[0-9]{1,6}){4}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class MalformedEventError(ValueError):
    """The message is not a face event; the text says which attribute is wrong and how."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a face is in its frame: left, top, width and height in pixels."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        """Return the form on the wire, `x,y,width,height`."""
        return f"{self.x},{self.y},{self.width},{self.height}"

    @classmethod
    def parse(cls, text: str) -> "Box":
        """Read the form on the wire.

        Raises:
            MalformedEventError: when it is not four whole numbers of at least one pixel each way.
        """
        numbers = _BOX.fullmatch(text)
        if not numbers:
            raise MalformedEventError(f"box {text!r} is not x,y,width,height")
        x, y, width, height = (int(number) for number in numbers.groups())
        if width < 1 or height < 1:
            raise MalformedEventError(f"box {text!r} is empty")
        return cls(x, y, width, height)


@dataclass(frozen=True, slots=True)
class Shot:
    """Which of its track's pictures it is, and how good: so that the best of a visit can be picked.

    `quality` is 0 to 1. `frame` is the width and height of the frame in pixels. `landmarks` are right eye,
    left eye, nose, right and left corner of the mouth, in pixels of the frame; some finders have none.
    """

    number: int
    last: bool
    quality: float
    frame: tuple[int, int]
    landmarks: tuple[tuple[int, int], ...] = ()

    def attributes(self) -> list[tuple[str, str]]:
        """Return the user properties."""
        return [
            ("shot", str(self.number)),
            ("last", "true" if self.last else "false"),
            ("quality", f"{self.quality:.3f}"),
            ("frame", f"{self.frame[0]}x{self.frame[1]}"),
            *([("landmarks", ";".join(f"{x},{y}" for x, y in self.landmarks))] if self.landmarks else []),
        ]


@dataclass(frozen=True, slots=True)
class FaceEvent:
    """One face: who saw it, when and where in the frame. `image` is the encoded crop."""

    device: str
    camera: str
    id: str
    time: datetime
    sequence: int
    track: int
    score: float
    box: Box
    image: bytes
    content_type: str = PNG
    clock_known: bool = True
    """Whether the device's clock was known to be right; `sequence` tells the order in any case."""
    shot: Shot | None = None
    """None from publishers that choose no shots, and from releases before there were any."""

    @property
    def source(self) -> str:
        """Return the CloudEvents source: device and camera, which the topic must repeat."""
        return source_of(self.device, self.camera)

    @property
    def sha256(self) -> str:
        """Return the image's SHA-256 in hexadecimal."""
        return hashlib.sha256(self.image).hexdigest()

    def attributes(self) -> list[tuple[str, str]]:
        """Return the user properties of the message, the CloudEvents attributes first."""
        return [
            ("specversion", SPECVERSION),
            ("id", self.id),
            ("source", self.source),
            ("type", TYPE),
            ("time", timestamp(self.time)),
            ("subject", f"track/{self.track}"),
            ("camera", self.camera),
            ("sequence", str(self.sequence)),
            ("sha256", self.sha256),
            ("score", f"{self.score:.3f}"),
            ("box", str(self.box)),
            ("track", str(self.track)),
            *(self.shot.attributes() if self.shot else ()),
            *([] if self.clock_known else [("clock", UNSYNCHRONIZED)]),
        ]


def new_id() -> str:
    """Return an identity that no other event has."""
    return uuid.uuid4().hex


def source_of(device: str, camera: str) -> str:
    """Return the CloudEvents source of a camera."""
    return f"/devices/{device}/cameras/{camera}"


def timestamp(time: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds, as in `2026-11-22T07:50:01.123Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(
    sender: tuple[str, str],
    content_type: str | None,
    properties: Iterable[tuple[str, str]],
    payload: bytes,
) -> FaceEvent:
    """Read a face event from a message. `sender` is (device, camera) as the topic has it.

    Raises:
        MalformedEventError: when an attribute is missing, impossible, or contradicts the topic
            or the payload.
    """
    device, camera = sender
    for name in (device, camera):
        if not _NAME.fullmatch(name):
            raise MalformedEventError(f"{name!r} in the topic is not a name of a device or camera")
    given = dict(properties)
    _expect("specversion", _required(given, "specversion"), SPECVERSION)
    _expect("type", _required(given, "type"), TYPE)
    _expect("source", _required(given, "source"), source_of(device, camera))
    _expect("camera", _required(given, "camera"), camera)
    identity = _required(given, "id")
    if not _ID.fullmatch(identity):
        raise MalformedEventError(f"id {identity!r} is not 1 to 64 letters, digits, '.', '_' or '-'")
    if not content_type:
        raise MalformedEventError("the content type is missing")
    digest = _required(given, "sha256")
    if not _SHA256.fullmatch(digest):
        raise MalformedEventError(f"sha256 {digest!r} is not 64 hexadecimal digits")
    event = FaceEvent(
        device=device,
        camera=camera,
        id=identity,
        time=_time(_required(given, "time")),
        sequence=_count(given, "sequence"),
        track=_count(given, "track"),
        score=_share(given, "score"),
        box=Box.parse(_required(given, "box")),
        image=payload,
        content_type=content_type,
        clock_known="clock" not in given,
        shot=_shot(given) if "shot" in given else None,
    )
    if "clock" in given:
        _expect("clock", given["clock"], UNSYNCHRONIZED)
    _expect("sha256", digest, event.sha256)
    return event


def _required(given: dict[str, str], name: str) -> str:
    try:
        return given[name]
    except KeyError:
        raise MalformedEventError(f"attribute {name} is missing") from None


def _expect(name: str, value: str, expected: str) -> None:
    if value != expected:
        raise MalformedEventError(f"{name} is {value!r}, expected {expected!r}")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedEventError(f"time {text!r} is not RFC 3339") from None
    if time.tzinfo is None:
        raise MalformedEventError(f"time {text!r} has no time zone")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise MalformedEventError(f"time {text!r} is out of range") from None


def _count(given: dict[str, str], name: str) -> int:
    text = _required(given, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - fits 64 bits
        raise MalformedEventError(f"{name} {text!r} is not a count")
    return int(text)


def _share(given: dict[str, str], name: str) -> float:
    text = _required(given, name)
    try:
        share = float(text)
    except ValueError:
        raise MalformedEventError(f"{name} {text!r} is not a number") from None
    if not 0.0 <= share <= 1.0:
        raise MalformedEventError(f"{name} {text!r} is not between 0 and 1")
    return share


def _shot(given: dict[str, str]) -> Shot:
    last = _required(given, "last")
    if last not in ("true", "false"):
        raise MalformedEventError(f"last {last!r} is neither true nor false")
    frame = _required(given, "frame")
    size = _SIZE.fullmatch(frame)
    if not size:
        raise MalformedEventError(f"frame {frame!r} is not <width>x<height>")
    landmarks = given.get("landmarks", "")
    if landmarks and not _LANDMARKS.fullmatch(landmarks):
        raise MalformedEventError(f"landmarks {landmarks!r} are not five points x,y;...")
    points = [point.split(",") for point in landmarks.split(";")] if landmarks else []
    return Shot(
        number=_count(given, "shot"),
        last=last == "true",
        quality=_share(given, "quality"),
        frame=(int(size[1]), int(size[2])),
        landmarks=tuple((int(x), int(y)) for x, y in points),
    )
