"""When the certificates end that the whole fleet stands on: the cloud host's own, and its authority's."""

from dataclasses import dataclass
from datetime import datetime

from facefleet.fleet.device import read_time, write_time


@dataclass(frozen=True, slots=True)
class Foundation:
    """None where it is not known: a watch of an older release, or a site without TLS."""

    cloud_ends: datetime | None = None
    authority_ends: datetime | None = None

    @property
    def ends(self) -> dict[str, datetime]:
        """Return what is known, by the words for it."""
        ends = {"cloud host": self.cloud_ends, "the fleet's authority": self.authority_ends}
        return {name: time for name, time in ends.items() if time is not None}

    def as_dict(self) -> dict[str, str]:
        """Return what is known; `from_dict` reads it."""
        ends = {"cloud_ends": self.cloud_ends, "authority_ends": self.authority_ends}
        return {name: write_time(time) for name, time in ends.items() if time is not None}


def from_dict(said: object) -> Foundation:
    """Read it tolerantly."""
    known = said if isinstance(said, dict) else {}
    return Foundation(read_time(known.get("cloud_ends")), read_time(known.get("authority_ends")))
