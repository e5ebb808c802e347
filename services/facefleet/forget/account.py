"""What was found or deleted, in numbers. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from facefleet.forget.selection import PROBES, in_words, time_of


class Found(NamedTuple):
    """One version of an object, or a mark that it was deleted."""

    key: str
    version: str
    size: int
    modified: datetime
    is_mark: bool = False


@dataclass(slots=True)
class Sum:
    """The numbers of one camera in one area of the bucket."""

    objects: int = 0
    """Keys."""
    versions: int = 0
    marks: int = 0
    bytes: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, found: Found, *, is_new: bool) -> None:
        """Count one; `is_new` says that its key has not been counted yet."""
        self.objects += is_new
        self.versions += not found.is_mark
        self.marks += found.is_mark
        self.bytes += found.size
        moment = time_of(found.key, found.modified)
        self.first = moment if self.first is None else min(self.first, moment)
        self.last = moment if self.last is None else max(self.last, moment)

    def figures(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "objects": self.objects,
            "versions": self.versions,
            "delete_marks": self.marks,
            "bytes": self.bytes,
            "first": in_words(self.first) if self.first else None,
            "last": in_words(self.last) if self.last else None,
        }


@dataclass(slots=True)
class Account:
    """The sums of all, and of each camera by area, device and camera."""

    total: Sum = field(default_factory=Sum)
    cameras: dict[tuple[str, str, str], Sum] = field(default_factory=dict)
    last_key: str = ""

    def add(self, found: Found) -> None:
        """Count one. All of one key come together, as buckets list them."""
        area, device, camera = place_of(found.key)
        is_new = found.key != self.last_key
        self.last_key = found.key
        self.total.add(found, is_new=is_new)
        self.cameras.setdefault((area, device, camera), Sum()).add(found, is_new=is_new)

    @property
    def entries(self) -> int:
        """Return how many versions and marks there are."""
        return self.total.versions + self.total.marks

    def figures(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            **self.total.figures(),
            "last_key": self.last_key,
            "cameras": [
                {"area": area, "device": device, "camera": camera, **each.figures()}
                for (area, device, camera), each in sorted(self.cameras.items())
            ],
        }


def place_of(key: str) -> tuple[str, str, str]:
    """Return area, device and camera of a key; a probe has no camera."""
    area, *names = key.split("/")[:-1]
    device, camera, *_ = [*names, "", ""]
    return area, device, "" if area == PROBES else camera
