"""Holds the shots of a composed video against its truth."""

from collections.abc import Iterable
from typing import NamedTuple

from facefleet.detector.following.likeness import iou
from facefleet.messaging.event import Box

from tests.bench.detector.scenes import Truth

SAME_IOU = 0.3
SHOWN_LEAST_S = 1.0
"""A visit counts if its face is at least half inside for so long."""


class Seen(NamedTuple):
    """A shot: the seconds of its picture, its track, where the face is."""

    at: float
    track: int
    box: Box


class Verdict(NamedTuple):
    """`visits` there were; of these with one track, and with none; and shots of what is no face."""

    visits: int
    in_one_track: int
    unseen: int
    false_shots: int
    mixed_tracks: int
    """Tracks with shots of more than one visit."""


def judge(truth: Truth, shots: Iterable[Seen]) -> Verdict:
    """Give each shot to the visit whose face was there at that moment."""
    tracks: list[set[int]] = [set() for _ in truth.visits]
    owners: dict[int, set[int]] = {}
    false = 0
    for shot in shots:
        number = round(shot.at * truth.fps)
        here = {
            n: iou(shot.box, Box(*boxes[number])) for n, boxes in enumerate(truth.visits) if number in boxes
        }
        best = max(here, key=lambda n: here[n], default=None)
        if best is None or here[best] < SAME_IOU:
            false += 1
            continue
        tracks[best].add(shot.track)
        owners.setdefault(shot.track, set()).add(best)
    counted = [
        found
        for found, boxes in zip(tracks, truth.visits, strict=True)
        if len(boxes) >= SHOWN_LEAST_S * truth.fps
    ]
    return Verdict(
        len(counted),
        sum(len(found) == 1 for found in counted),
        sum(not found for found in counted),
        false,
        sum(len(visits) > 1 for visits in owners.values()),
    )
