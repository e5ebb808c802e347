"""Groups faces by who was followed: one card for each visit, the best shot first. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from facefleet.gallery.face import Face

if TYPE_CHECKING:
    from facefleet.storage.faces import Camera

APART_MS = 6 * 3600 * 1000
"""Pictures of one track that are further apart are of two: a device that was set up anew counts from 1."""


class Visit(NamedTuple):
    """The pictures of one track, the best first."""

    faces: list[Face]

    @property
    def best(self) -> Face:
        """Return the best picture."""
        return self.faces[0]

    @property
    def newest_ms(self) -> int:
        """Return when the newest was taken, in milliseconds since 1970."""
        return max(face.time_ms for face in self.faces)


def grouped(faces: Iterable[Face]) -> list[Visit]:
    """Group faces, the newest visit first. Those of unknown traits stand alone."""
    open_groups: dict[tuple[Camera, int], list[Face]] = {}
    groups: list[list[Face]] = []
    for face in sorted(faces, key=lambda face: (-face.time_ms, face.name)):
        followed = face.traits is not None and face.traits.track >= 0
        same = (face.camera, face.traits.track if face.traits else -1)
        group = open_groups.get(same) if followed else None
        if group and group[-1].time_ms - face.time_ms <= APART_MS:
            group.append(face)
            continue
        groups.append([face])
        if followed:
            open_groups[same] = groups[-1]
    visits = [Visit(sorted(group, key=_goodness)) for group in groups]
    return sorted(visits, key=lambda visit: -visit.newest_ms)


def visit_id(visit: Visit) -> str:
    """Return what tells a visit from others, for as long as a page is open."""
    face = visit.best
    if face.traits is None or face.traits.track < 0:
        return face.key
    return f"{face.camera}/{face.traits.track}/{visit.newest_ms // APART_MS}"


def _goodness(face: Face) -> tuple[float, int]:
    quality = face.traits.quality if face.traits else 0.0
    return -quality, -face.time_ms
