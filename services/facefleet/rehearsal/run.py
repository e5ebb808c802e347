"""Plays a source through the detector's own pipeline."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from facefleet.detector.finding.choose import choose_finder
from facefleet.detector.pipeline import Look, Pipeline, Sent
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import Frame
from facefleet.detector.sources.source import open_source, paced


class Moment(NamedTuple):
    """A frame, and what came of it."""

    frame: Frame
    look: Look


@dataclass(slots=True)
class Tally:
    """What a rehearsal came to."""

    looked: int = 0
    searched: int = 0
    faces: int = 0
    seconds: float = 0.0
    """Of the source."""
    cpu_s: float = 0.0
    shots: list[tuple[float, Sent]] = field(default_factory=list)
    """Each with the second at which it was chosen."""
    last: list[tuple[float, Sent]] = field(default_factory=list)
    """Of these, the ones of who was still there at the end of the source."""

    @property
    def tracks(self) -> int:
        """Return how many faces were sent, each counted once."""
        return len({sent.track for _, sent in self.shots})


def rehearse(settings: DetectorSettings, tally: Tally, seconds: float) -> Iterator[Moment]:
    """Yield each frame that is looked at, for so many seconds of the source (0: to its end).

    Raises:
        CameraGoneError: when the source cannot be opened, or is lost.
        ServiceError: when the model is missing.
    """
    pipeline = Pipeline(settings, choose_finder(settings))
    begun = time.process_time()
    with closing(open_source(settings, threading.Event())) as source:
        for frame in paced(source, settings.detect_fps):
            if seconds and frame.at > seconds:
                break
            look = pipeline.look(frame)
            _count(tally, frame, look)
            yield Moment(frame, look)
    tally.last = [(tally.seconds, sent) for sent in pipeline.finish()]
    tally.shots += tally.last
    tally.cpu_s = time.process_time() - begun


def _count(tally: Tally, frame: Frame, look: Look) -> None:
    tally.looked += 1
    tally.searched += bool(look.searched)
    tally.faces += len(look.faces)
    tally.seconds = frame.at
    tally.shots += [(frame.at, sent) for sent in look.shots]
