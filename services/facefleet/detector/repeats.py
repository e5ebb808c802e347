"""Tells a face that was just sent from a new one. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facefleet.detector.finder import Face
from facefleet.messaging.event import Box

FORGET_S = 1.5
"""A face not seen for so long is a new one when it comes back."""
SAME_IOU = 0.3
SAME_DISTANCE = 1.0
"""Between centres, in widths of the larger box."""
SAME_SIZE = 2.0
"""The larger box is at most so many times as wide."""


@dataclass(slots=True)
class _Track:
    number: int
    box: Box
    seen: float
    sent: float


class Sightings:
    """Follows faces from frame to frame, just well enough not to send each one again and again."""

    def __init__(self, repeat_s: float, first_track: int) -> None:
        """Number tracks from `first_track` on; send the same face again after `repeat_s` seconds."""
        self._repeat_s = repeat_s
        self._next_track = first_track
        self._tracks: list[_Track] = []

    def worth_sending(self, faces: Sequence[Face], now: float) -> list[tuple[Face, int]]:
        """Return the faces of one frame to send, each with its track number; `now` in monotonic seconds."""
        self._tracks = [track for track in self._tracks if now - track.seen <= FORGET_S]
        known = dict(self._matches(faces))
        worth = []
        for index, face in enumerate(faces):
            track = known.get(index)
            if track is None:
                track = _Track(self._next_track, face.box, seen=now, sent=now)
                self._next_track += 1
                self._tracks.append(track)
                worth.append((face, track.number))
                continue
            track.box, track.seen = face.box, now
            if now - track.sent >= self._repeat_s:
                track.sent = now
                worth.append((face, track.number))
        return worth

    def _matches(self, faces: Sequence[Face]) -> Iterator[tuple[int, _Track]]:
        """Pair faces and tracks, the closest first, each at most once."""
        pairs = sorted(
            (
                (likeness, index, place)
                for index, face in enumerate(faces)
                for place, track in enumerate(self._tracks)
                if (likeness := alike(face.box, track.box)) is not None
            ),
            reverse=True,
        )
        taken_faces: set[int] = set()
        taken_tracks: set[int] = set()
        for _, index, place in pairs:
            if index not in taken_faces and place not in taken_tracks:
                taken_faces.add(index)
                taken_tracks.add(place)
                yield index, self._tracks[place]


def alike(one: Box, other: Box) -> float | None:
    """Return how near two boxes are, greater is nearer; None if they cannot be the same face."""
    overlap = iou(one, other)
    larger, smaller = max(one.width, other.width), min(one.width, other.width)
    distance = (
        (one.x + one.width / 2 - other.x - other.width / 2) ** 2
        + (one.y + one.height / 2 - other.y - other.height / 2) ** 2
    ) ** 0.5 / larger
    near = distance <= SAME_DISTANCE and larger <= SAME_SIZE * smaller
    return overlap - distance if overlap >= SAME_IOU or near else None


def iou(one: Box, other: Box) -> float:
    """Return the boxes' intersection over their union, 0 to 1."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)
