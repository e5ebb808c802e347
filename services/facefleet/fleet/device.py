"""A device's status message, read tolerantly: an older release says less, and a broken one anything.

What is missing, or of another kind than agreed, is None. Texts are cut, and without what a terminal obeys.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

ONLINE = "online"
STOPPED = "stopped"
OFFLINE = "offline"
UNREADABLE = "unreadable"
STATES = (ONLINE, STOPPED, OFFLINE, UNREADABLE)
CONNECTED = "connected"
CAMERA_OK = "ok"
CAMERA_PAUSED = "paused"
CAMERA_STARTING = "starting"
UNSYNCHRONIZED = "unsynchronized"

PULL_STATES = ("fetching", "applying", "ok", "failed", "waiting")

PAYLOAD_MOST = 256 * 1024
TEXT_MOST = 300
CAMERAS_MOST = 64
TEXTS_MOST = 8
_NUMBER_MOST = 1e12


@dataclass(frozen=True, slots=True)
class Host:
    """The machine itself: bytes, and degrees Celsius."""

    disk_free: int | None = None
    disk_total: int | None = None
    memory_free: int | None = None
    memory_total: int | None = None
    temperature: float | None = None

    @property
    def disk_free_share(self) -> float | None:
        """Return the free part of the disk, 0 to 1."""
        return _share(self.disk_free, self.disk_total)

    @property
    def memory_free_share(self) -> float | None:
        """Return the free part of the memory, 0 to 1."""
        return _share(self.memory_free, self.memory_total)


@dataclass(frozen=True, slots=True)
class CameraState:
    """What a camera last said. `camera` is "ok", "paused", "starting", or what is wrong in words."""

    state: str = UNREADABLE
    camera: str | None = None
    captured: int | None = None
    handed_on: int | None = None
    given_up: int | None = None
    held: int | None = None
    frames: int | None = None
    clock: str | None = None
    fps: float | None = None
    last_face: datetime | None = None

    @property
    def paused(self) -> bool:
        """Return whether somebody paused it."""
        return self.state == ONLINE and self.camera == CAMERA_PAUSED

    @property
    def sees(self) -> bool:
        """Return whether it gives pictures; an older release that does not say is believed."""
        return self.state == ONLINE and self.camera in {CAMERA_OK, None}


@dataclass(frozen=True, slots=True)
class Pull:
    """How a device stands that updates itself: what it runs, what it wants, and why it stays behind."""

    state: str = UNREADABLE
    edition: str | None = None
    wants: str | None = None
    why: str | None = None
    said: datetime | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """What a device last said of itself. The field names are those of the message."""

    state: str = UNREADABLE
    said: datetime | None = None
    """By the device's own clock, as are `started` and `cloud_since`."""
    started: datetime | None = None
    release: str | None = None
    cloud: str | None = None
    """The way to the cloud: "connected", or what is wrong and the remedy."""
    cloud_since: datetime | None = None
    last_receipt: datetime | None = None
    taken: int | None = None
    stored: int | None = None
    dead: int | None = None
    given_up: int | None = None
    held: int | None = None
    oldest_s: float | None = None
    spool_bytes: int | None = None
    spool_max_bytes: int | None = None
    clock: str | None = None
    certificate_ends: datetime | None = None
    certificate: str | None = None
    trusts: tuple[str, ...] = ()
    """Which certificate it has and which authorities it trusts; playbooks/rotate.yml knows them by these."""
    pull: Pull | None = None
    host: Host = field(default_factory=Host)
    cameras: Mapping[str, CameraState] = field(default_factory=dict)

    @property
    def spool_share(self) -> float | None:
        """Return how full the spool is, 0 to 1."""
        return _share(self.spool_bytes, self.spool_max_bytes)

    @property
    def all_given_up(self) -> int | None:
        """Return the faces given up by the device and its cameras, ever; None if nobody tells."""
        known = [
            count
            for count in (self.given_up, *(camera.given_up for camera in self.cameras.values()))
            if count is not None
        ]
        return sum(known) if known else None

    def as_dict(self) -> dict[str, Any]:
        """Return the message again, without what it did not say; `from_dict` reads it."""
        said = _told(self)
        said["trusts"] = list(self.trusts)
        said["host"] = _told(self.host)
        if self.pull:
            said["pull"] = _told(self.pull)
        said["cameras"] = {name: _told(camera) for name, camera in self.cameras.items()}
        return said


def parse(payload: bytes | str) -> Device:
    """Read a status message; one that cannot be read is a device in the state "unreadable"."""
    if len(payload) > PAYLOAD_MOST:
        return Device()
    try:
        return from_dict(json.loads(payload))
    except (ValueError, RecursionError):
        return Device()


def from_dict(said: object) -> Device:
    """Read a status message that is JSON no more."""
    if not isinstance(said, dict):
        return Device()
    cameras = said.get("cameras")
    return Device(
        state=_state(said),
        said=_time(said, "said"),
        started=_time(said, "started"),
        release=_text(said, "release"),
        cloud=_text(said, "cloud"),
        cloud_since=_time(said, "cloud_since"),
        last_receipt=_time(said, "last_receipt"),
        taken=_count(said, "taken"),
        stored=_count(said, "stored"),
        dead=_count(said, "dead"),
        given_up=_count(said, "given_up"),
        held=_count(said, "held"),
        oldest_s=_number(said, "oldest_s"),
        spool_bytes=_count(said, "spool_bytes"),
        spool_max_bytes=_count(said, "spool_max_bytes"),
        clock=_text(said, "clock"),
        certificate_ends=_time(said, "certificate_ends"),
        certificate=_text(said, "certificate"),
        trusts=_texts(said, "trusts"),
        pull=_pull(said.get("pull")),
        host=_host(said.get("host")),
        cameras={
            readable(str(name)): _camera(camera) for name, camera in sorted(cameras.items())[:CAMERAS_MOST]
        }
        if isinstance(cameras, dict)
        else {},
    )


def readable(text: str) -> str:
    """Return a text of one line, without control characters, cut to a sensible length."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[:TEXT_MOST])
    return " ".join(line.split())


def read_time(value: object) -> datetime | None:
    """Read a time in ISO 8601; without an offset it is UTC."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write_time(time: datetime) -> str:
    """Write a time as the messages have it: UTC, whole seconds, Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _camera(said: object) -> CameraState:
    if not isinstance(said, dict):
        return CameraState()
    return CameraState(
        state=_state(said),
        camera=_text(said, "camera"),
        captured=_count(said, "captured"),
        handed_on=_count(said, "handed_on"),
        given_up=_count(said, "given_up"),
        held=_count(said, "held"),
        frames=_count(said, "frames"),
        clock=_text(said, "clock"),
        fps=_number(said, "fps"),
        last_face=_time(said, "last_face"),
    )


def _pull(said: object) -> Pull | None:
    if not isinstance(said, dict):
        return None
    state = said.get("state")
    return Pull(
        state=state if state in PULL_STATES else UNREADABLE,
        edition=_text(said, "edition"),
        wants=_text(said, "wants"),
        why=_text(said, "why"),
        said=_time(said, "said"),
    )


def _host(said: object) -> Host:
    if not isinstance(said, dict):
        return Host()
    return Host(
        disk_free=_count(said, "disk_free"),
        disk_total=_count(said, "disk_total"),
        memory_free=_count(said, "memory_free"),
        memory_total=_count(said, "memory_total"),
        temperature=_number(said, "temperature"),
    )


def _told(part: Device | CameraState | Host | Pull) -> dict[str, Any]:
    values = {each.name: getattr(part, each.name) for each in fields(part)}
    return {
        name: write_time(value) if isinstance(value, datetime) else value
        for name, value in values.items()
        if value is not None and isinstance(value, (str, int, float, datetime))
    }


def _state(said: Mapping[str, object]) -> str:
    state = said.get("state")
    return state if isinstance(state, str) and state in STATES else UNREADABLE


def _text(said: Mapping[str, object], name: str) -> str | None:
    value = said.get(name)
    return readable(value) if isinstance(value, str) else None


def _texts(said: Mapping[str, object], name: str) -> tuple[str, ...]:
    values = said.get(name)
    texts = values[:TEXTS_MOST] if isinstance(values, list) else []
    return tuple(readable(text) for text in texts if isinstance(text, str))


def _time(said: Mapping[str, object], name: str) -> datetime | None:
    return read_time(said.get(name))


def _count(said: Mapping[str, object], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63 else None


def _number(said: Mapping[str, object], name: str) -> float | None:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _NUMBER_MOST else None


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None
