"""Compares what the cameras captured with what the bucket holds. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from facefleet.messaging.topics import PROBE
from facefleet.storage.faces import Camera, StoredFace


@dataclass(frozen=True, slots=True)
class Report:
    """What a camera's status says. `captured` is None when it does not tell, as after a last will."""

    state: str
    captured: int | None = None
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One camera of the account. `captured` is None when unknown."""

    camera: Camera
    captured: int | None
    stored: int
    dead: int
    given_up: int

    @property
    def missing(self) -> int:
        """Return how many captured faces are not accounted for yet."""
        return max(0, (self.captured or 0) - self.stored - self.dead - self.given_up)


@dataclass(frozen=True, slots=True)
class Account:
    """All cameras, those that report and those that have something in the bucket."""

    reports: Mapping[Camera, Report]
    stored: Mapping[Camera, int]
    dead: Mapping[Camera, int] = field(default_factory=dict)

    @property
    def lines(self) -> list[Line]:
        """Return one line a camera, in order of their names."""
        cameras = sorted({*self.reports, *self.stored, *self.dead})
        return [
            Line(
                camera,
                captured=self.reports.get(camera, Report("unknown")).captured,
                stored=self.stored.get(camera, 0),
                dead=self.dead.get(camera, 0),
                given_up=self.reports.get(camera, Report("unknown")).given_up,
            )
            for camera in cameras
        ]

    @property
    def total_captured(self) -> int | None:
        """Return the faces captured by all cameras that tell; None if none does."""
        known = [line.captured for line in self.lines if line.captured is not None]
        return sum(known) if known else None

    @property
    def total_stored(self) -> int:
        """Return the faces in the bucket."""
        return sum(self.stored.values())

    @property
    def total_dead(self) -> int:
        """Return the dead letters in the bucket."""
        return sum(self.dead.values())

    @property
    def even(self) -> bool:
        """Return whether, for each camera that tells, all captured faces and no more are accounted for."""
        return all(
            line.captured is None or line.captured == line.stored + line.dead + line.given_up
            for line in self.lines
        )

    @property
    def missing(self) -> dict[Camera, int]:
        """Return the cameras with faces that were captured and are not accounted for yet, with how many."""
        return {line.camera: line.missing for line in self.lines if line.missing}


def read_status(topic: str, payload: bytes) -> tuple[Camera, Report] | None:
    """Read a camera's status message; None when the topic is none, or the status was taken back."""
    match topic.split("/"):
        case ["status", device, camera] if payload:
            pass
        case _:
            return None
    try:
        said = json.loads(payload)
        state = str(said["state"])
    except (ValueError, TypeError, KeyError):
        return Camera(device, camera), Report("unreadable")
    return Camera(device, camera), Report(state, _count(said, "captured"), _count(said, "given_up") or 0)


def count_faces(faces: Iterable[StoredFace]) -> Counter[Camera]:
    """Return how many faces of each camera there are."""
    return Counter(face.camera for face in faces)


def count_dead(keys: Iterable[str]) -> Counter[Camera]:
    """Return how many dead letters of each camera there are, by their keys; probes are of none."""
    parts = (key.split("/") for key in keys)
    cameras = (Camera(part[1], part[2]) for part in parts if len(part) > 3)  # noqa: PLR2004 - prefix, two names, digest
    return Counter(camera for camera in cameras if camera.name != PROBE)


def newest(faces: Iterable[StoredFace], most: int) -> list[StoredFace]:
    """Return the newest faces, the newest first."""
    return sorted(faces, key=lambda face: (face.time, face.key), reverse=True)[:most]


def _count(said: dict[str, object], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
