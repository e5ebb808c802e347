"""The keys under which faces are stored. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

FACES = "faces/"
DEAD_LETTERS = "dead-letter/"

_KEY = re.compile(
    r"faces/(?P<device>[^/]+)/(?P<camera>[^/]+)/\d{4}/\d\d/\d\d/"
    r"(?P<stamp>\d{8}T\d{6}\.\d{3})Z-(?P<id>[^/]+)\.(?:png|jpg|webp)"
)
_STAMP = "%Y%m%dT%H%M%S.%f"


class Camera(NamedTuple):
    """A camera and the device that it hangs on."""

    device: str
    name: str

    def __str__(self) -> str:
        """Return `device/camera`."""
        return f"{self.device}/{self.name}"


@dataclass(frozen=True, slots=True)
class StoredFace:
    """A face in the bucket, as its key tells."""

    key: str
    camera: Camera
    time: datetime


def read_key(key: str) -> StoredFace | None:
    """Read the key of a stored face; None when it is another object's."""
    found = _KEY.fullmatch(key)
    if not found:
        return None
    try:
        time = datetime.strptime(found["stamp"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return StoredFace(key, Camera(found["device"], found["camera"]), time)
