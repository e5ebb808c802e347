"""A face as the gallery knows it: from its key, and what its object's metadata tells. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from facefleet.storage.faces import Camera, StoredFace, read_key

MILLI = 1000


class Traits(NamedTuple):
    """What groups a person's pictures and tells the best of them. A negative track is of no tracker's."""

    track: int
    shot: int
    quality: float
    last: bool


class Face(NamedTuple):
    """One stored face. `traits` is None until its metadata was read."""

    camera: Camera
    name: str
    """The last part of its key; names of one camera are in order of time."""
    time_ms: int
    """Milliseconds since 1970."""
    traits: Traits | None = None

    @property
    def time(self) -> datetime:
        """Return when it was seen, UTC."""
        return datetime.fromtimestamp(self.time_ms / MILLI, UTC)

    @property
    def key(self) -> str:
        """Return its object's key."""
        return f"{day_prefix(self.camera, self.time)}{self.name}"


def day_prefix(camera: Camera, day: datetime) -> str:
    """Return what the keys of a camera's day begin with."""
    return f"faces/{camera.device}/{camera.name}/{day:%Y/%m/%d}/"


def face_of(key: str, traits: Traits | None = None) -> Face | None:
    """Return the face of a key; None when it is another object's."""
    stored = read_key(key)
    if stored is None:
        return None
    face = Face(stored.camera, key.rpartition("/")[2], milliseconds(stored), traits)
    return face if face.key == key else None


def milliseconds(stored: StoredFace) -> int:
    """Return a face's time in milliseconds since 1970."""
    return round(stored.time.timestamp() * MILLI)


def traits_of(metadata: Mapping[str, str]) -> Traits:
    """Read an object's metadata; what is missing or damaged counts as a picture of its own."""
    try:
        return Traits(
            int(metadata["track"]),
            int(metadata.get("shot", "0")),
            float(metadata.get("quality") or metadata.get("score") or 0.0),
            metadata.get("last") == "true",
        )
    except (KeyError, ValueError):
        return Traits(-1, 0, 0.0, last=False)
