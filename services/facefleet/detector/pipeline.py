"""From a frame to the shots that are worth sending: gate, search, follow, choose.

It knows neither camera nor broker.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from facefleet.detector.cadence import Cadence
from facefleet.detector.crop import cut
from facefleet.detector.finding.face import Face, FaceFinder
from facefleet.detector.following.quality import quality
from facefleet.detector.following.shots import Candidate, Choice, Rules, Shot
from facefleet.detector.following.tracker import Limits, Track, Tracker
from facefleet.detector.gate import WIDTH_PX, MotionGate
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import Frame, Image

HITS = 2
"""A face must be found so often: what is no face seldom is."""
BELIEVED_SCORE = 0.6
"""Of a track, the mean: a face that is unsure at most times is none."""


class Sight(NamedTuple):
    """A face as it was at one moment: its crop, and the width and height of its frame in pixels."""

    crop: Image
    face: Face
    time: datetime
    frame_size: tuple[int, int]


class Sent(NamedTuple):
    """A shot and the number of its track."""

    track: int
    shot: Shot[Sight]


class Followed(NamedTuple):
    """A face that is being followed: its number (None before its first shot), and why nothing was sent."""

    number: int | None
    track: Track
    quality: float
    silence: str


class Look(NamedTuple):
    """What came of one frame: why it was searched (if it was), what was found, followed and chosen."""

    searched: str
    faces: Sequence[Face]
    followed: Sequence[Followed]
    shots: Sequence[Sent]


class _Person:
    """What the pipeline keeps of one track."""

    def __init__(self, rules: Rules, began: float) -> None:
        self.choice: Choice[Sight] = Choice(rules, began)
        self.number: int | None = None
        self.quality = 0.0


class Pipeline:
    """One camera's way from frames to shots."""

    def __init__(self, settings: DetectorSettings, finder: FaceFinder, first_track: int = 1) -> None:
        """Number those who are sent from `first_track` on."""
        self._finder = finder
        self._margin = settings.margin
        self._limits = Limits(settings.start_score, HITS, settings.lost_s)
        self._believed_score = min(BELIEVED_SCORE, settings.start_score)
        self._rules = Rules(
            settings.first_shot_s,
            settings.better_by,
            settings.better_after_s,
            settings.max_shots,
            settings.repeat_s,
            settings.min_quality,
        )
        self._gate = MotionGate(settings.motion, settings.ignore)
        self._cadence = Cadence()
        self._tracker = Tracker(self._limits)
        self._people: dict[Track, _Person] = {}
        self._next_number = first_track
        self._now = 0.0

    def look(self, frame: Frame) -> Look:
        """Take the next frame.

        Raises:
            CameraGoneError: when it cannot be decoded.
        """
        if frame.alone:
            return self._look_alone(frame)
        self._now = frame.at
        luma = frame.picture.luma(WIDTH_PX)
        why = self._cadence.due(
            frame.at,
            moved=self._gate.moved(luma),
            present=self._tracker.present > 0,
            missing=self._tracker.unsettled,
        )
        if not why:
            return Look("", (), (), ())
        self._cadence.searched(frame.at)
        self._gate.searched(luma)
        image = frame.picture.full()
        faces = self._finder.find(image)
        seen, gone = self._tracker.follow(faces, frame.at, (image.shape[1], image.shape[0]))
        for track in seen:
            self._weigh(track, image, frame.time)
        shots = [*self._due(seen), *self._last(gone)]
        return Look(why, faces, [self._followed(track) for track in seen], shots)

    def finish(self) -> list[Sent]:
        """Let go of all who are followed, as when the camera ends or is lost; return their last shots."""
        return list(self._last(self._tracker.end()))

    def _look_alone(self, frame: Frame) -> Look:
        """Each face of a picture that belongs to no video is sent at once."""
        image = frame.picture.full()
        faces = [face for face in self._finder.find(image) if face.score >= self._limits.start]
        tracks = [Track(face, frame.at, frame.at, sureness=face.score) for face in faces]
        for track in tracks:
            self._weigh(track, image, frame.time)
        followed = [self._followed(track) for track in tracks]
        return Look("a picture of its own", faces, followed, list(self._last(tracks)))

    def _weigh(self, track: Track, image: Image, time: datetime) -> None:
        """Keep this sight of a face if it is the best since the last that was sent."""
        person = self._people.setdefault(track, _Person(self._rules, track.began))
        person.quality = quality(track.face, image)
        if person.choice.wants(person.quality):
            high, wide = image.shape[:2]
            sight = Sight(cut(image, track.face.box, self._margin), track.face, time, (wide, high))
            person.choice.consider(Candidate(sight, person.quality))

    def _due(self, seen: Sequence[Track]) -> Iterator[Sent]:
        for track in seen:
            person = self._people[track]
            if track.score < self._believed_score:
                person.choice.silence = f"its mean score is below {self._believed_score}"
            elif shot := person.choice.due(self._now):
                yield self._sent(person, shot)

    def _last(self, gone: Sequence[Track]) -> Iterator[Sent]:
        for track in gone:
            person = self._people.pop(track, None)
            if person and track.score >= self._believed_score and (shot := person.choice.end(self._now)):
                yield self._sent(person, shot)

    def _sent(self, person: _Person, shot: Shot[Sight]) -> Sent:
        if person.number is None:
            person.number = self._next_number
            self._next_number += 1
        return Sent(person.number, shot)

    def _followed(self, track: Track) -> Followed:
        person = self._people[track]
        return Followed(person.number, track, person.quality, person.choice.silence)
