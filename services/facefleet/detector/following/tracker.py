"""Follows faces from search to search. Pure.

Two thresholds, as in ByteTrack (Zhang et al., 2022): a sure face may begin a track, a less sure one may
go on with it.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from facefleet.detector.finding.face import Face
from facefleet.detector.following.leaving import RETURNED, Exit, exit_of
from facefleet.detector.following.likeness import iou, likeness
from facefleet.messaging.event import Box

DISTANCE_NEW = 1.8
"""Between centres, in widths, from one search to the next: of a face whose speed is not known yet."""
DISTANCE_KNOWN = 0.7
DISTANCE_PER_MISS = 0.2
MISSES_LEAST = 3
"""However much time passed, a face must be looked for so often before it is gone."""
TURNED_IOU, FURTHER_IOU = 0.5, 0.2
"""With its last place, of a face that was leaving and is now further in, or further out."""
PREDICTED_MOST_S = 0.6
_SPEED_WEIGHT = 0.5


class Limits(NamedTuple):
    """Least score to begin a track, finds until it is believed, seconds unseen until it ends."""

    start: float
    hits: int
    lost_s: float


@dataclass(slots=True, eq=False)
class Track:
    """One face's way. Times in seconds of the source's clock, speed in pixels a second."""

    face: Face
    began: float
    seen: float
    hits: int = 1
    misses: int = 0
    speed: tuple[float, float] = (0.0, 0.0)
    sureness: float = 0.0
    """The sum of its scores."""
    exit: Exit | None = None
    """Where it was last about to leave the frame."""

    @property
    def score(self) -> float:
        """Return the mean of its scores."""
        return self.sureness / self.hits

    def expected(self, now: float) -> Box:
        """Return where it would be now."""
        ahead = min(now - self.seen, PREDICTED_MOST_S)
        box = self.face.box
        return dataclasses.replace(
            box, x=round(box.x + self.speed[0] * ahead), y=round(box.y + self.speed[1] * ahead)
        )

    def leaves(self, frame_size: tuple[int, int], now: float) -> bool:
        """Return whether it is on its way out of the frame, and remember where."""
        out = exit_of(self.face.box, self.expected(now), self.speed, frame_size)
        self.exit = out or self.exit
        return out is not None

    def inward(self, face: Face) -> float:
        """Return how far inside of where this one went out a face is, in widths; 0 if it never did."""
        return self.exit.inward(face.box) if self.exit else 0.0

    @property
    def distance_most(self) -> float:
        """Return how far from there it may be."""
        return (DISTANCE_NEW if self.hits == 1 else DISTANCE_KNOWN) + DISTANCE_PER_MISS * self.misses

    def found(self, face: Face, now: float) -> None:
        """Go on with a face."""
        elapsed = now - self.seen
        if elapsed > 0:
            before, after = _centre(self.face.box), _centre(face.box)
            weight = 1.0 if self.hits == 1 else _SPEED_WEIGHT
            self.speed = (
                self.speed[0] + weight * ((after[0] - before[0]) / elapsed - self.speed[0]),
                self.speed[1] + weight * ((after[1] - before[1]) / elapsed - self.speed[1]),
            )
        self.face, self.seen, self.misses = face, now, 0
        self.hits += 1
        self.sureness += face.score


class Followed(NamedTuple):
    """After a search: who is believed and was just seen, and who is gone."""

    seen: list[Track]
    gone: list[Track]


class Tracker:
    """All faces of one camera."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tracks: list[Track] = []

    @property
    def present(self) -> int:
        """Return how many are followed and believed."""
        return sum(self._believed(track) for track in self._tracks)

    @property
    def unsettled(self) -> bool:
        """Return whether somebody was not found just now, or is too new to be believed."""
        return any(track.misses or not self._believed(track) for track in self._tracks)

    def follow(self, faces: Sequence[Face], now: float, frame_size: tuple[int, int]) -> Followed:
        """Take the faces of one search in a frame of this width and height."""
        sure = [face for face in faces if face.score >= self._limits.start]
        unsure = [face for face in faces if face.score < self._limits.start]
        leaving = [track for track in self._tracks if track.leaves(frame_size, now)]
        staying = [track for track in self._tracks if track not in leaving]
        missed, new = _go_on(staying, sure, now)
        missed, _ = _go_on(missed, unsure, now)
        left, new = _stay(leaving, new, now)
        returned = [
            track for track in self._tracks if track.seen == now and track.inward(track.face) >= RETURNED
        ]
        for track in [*missed, *left]:
            track.misses += 1
        gone = [*(track for track in missed if self._is_gone(track, now)), *left, *returned]
        self._tracks = [track for track in self._tracks if track not in gone]
        new += [track.face for track in returned]
        self._tracks += [Track(face, began=now, seen=now, sureness=face.score) for face in new]
        seen = [track for track in self._tracks if track.seen == now and self._believed(track)]
        return Followed(seen, [track for track in gone if self._believed(track)])

    def end(self) -> list[Track]:
        """Let go of all; return those that were believed."""
        ended, self._tracks = [track for track in self._tracks if self._believed(track)], []
        return ended

    def _believed(self, track: Track) -> bool:
        return track.hits >= self._limits.hits

    def _is_gone(self, track: Track, now: float) -> bool:
        if not self._believed(track):
            return track.misses >= MISSES_LEAST
        return now - track.seen >= self._limits.lost_s and track.misses >= MISSES_LEAST


def _go_on(tracks: Sequence[Track], faces: Sequence[Face], now: float) -> tuple[list[Track], list[Face]]:
    """Give each track its face; return the tracks and faces that are left over."""
    left_tracks, left_faces = list(tracks), list(faces)
    for track, face in _pairs(tracks, faces, now):
        track.found(face, now)
        left_tracks.remove(track)
        left_faces.remove(face)
    return left_tracks, left_faces


def _stay(leaving: Sequence[Track], faces: Sequence[Face], now: float) -> tuple[list[Track], list[Face]]:
    """Give a face to those who were leaving only where they were last, or further out."""
    left_tracks, left_faces = list(leaving), list(faces)
    for track in leaving:
        face = max(left_faces, key=lambda face: iou(face.box, track.face.box), default=None)
        if face and iou(face.box, track.face.box) >= (FURTHER_IOU if track.inward(face) <= 0 else TURNED_IOU):
            track.found(face, now)
            left_tracks.remove(track)
            left_faces.remove(face)
    return left_tracks, left_faces


def _pairs(tracks: Iterable[Track], faces: Sequence[Face], now: float) -> Iterator[tuple[Track, Face]]:
    """Pair tracks and faces, the nearest first, each at most once."""
    candidates = [
        (near, track, face)
        for track in tracks
        for face in faces
        if (near := likeness(face.box, track.expected(now), track.distance_most)) is not None
    ]
    taken: list[object] = []
    for _, track, face in sorted(candidates, key=lambda candidate: -candidate[0]):
        if not any(track is one or face is one for one in taken):
            taken += [track, face]
            yield track, face


def _centre(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2
