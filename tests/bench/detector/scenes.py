"""Videos whose truth is known by construction: people of real pictures and clips pass before a background."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from facefleet.detector.sources.frame import Image
from facefleet.messaging.event import Box
from numpy.typing import NDArray

from tests.bench.detector.labelled import Labelled

HEAD_MARGIN = 0.45
FACE_LEAST_PX = 60
"""A labelled face that is smaller is too coarse to be enlarged."""
PASSING_S, STROLLING_S = (5.0, 9.0), (12.0, 20.0)
"""How long it takes to cross the picture."""
PASSERS = 0.6
NOISE = 2.5
_NOISES = 8


class Person(NamedTuple):
    """A head with its soft edge, and where in it the face is. More than one picture: it moves."""

    pictures: Sequence[Image]
    face: Box


@dataclass(frozen=True, slots=True)
class Visit:
    """One face's way through the frame: seconds, centre at its begin and end, width of the face in pixels."""

    person: int
    begin: float
    end: float
    start: tuple[float, float]
    goal: tuple[float, float]
    width: tuple[float, float]
    bob: float = 0.01


@dataclass(frozen=True, slots=True)
class Frame:
    """How a video is: width and height, frames a second, length; and what its chances are drawn from."""

    size: tuple[int, int]
    fps: float
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What a video shows; centres are in parts of the frame."""

    frame: Frame
    visits: list[Visit]


@dataclass(slots=True)
class Truth:
    """Where each visit's face is, by frame; a face is listed while half of it is inside."""

    fps: float
    frames: int
    visits: list[dict[int, tuple[int, int, int, int]]] = field(default_factory=list)

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, file: Path) -> "Truth":
        raw = json.loads(file.read_text())
        visits = [{int(n): tuple(box) for n, box in visit.items()} for visit in raw["visits"]]
        return cls(raw["fps"], raw["frames"], visits)


def people_of(pictures: Sequence[Labelled]) -> list[Person]:
    """Cut out the faces that are large enough."""
    people = []
    for picture in pictures:
        for box in picture.faces:
            if min(box.width, box.height) >= FACE_LEAST_PX:
                head = _head(box, picture.image)
                face = Box(box.x - head.x, box.y - head.y, box.width, box.height)
                people.append(Person([_part(picture.image, head)], face))
    return people


def mover_of(clip: Path, face: Box) -> Person:
    """Cut the head out of each frame of a clip in which somebody keeps to one place."""
    head = _head(face, next(frames_of(clip)))
    pictures = [_part(image, head) for image in frames_of(clip)]
    return Person(pictures, Box(face.x - head.x, face.y - head.y, face.width, face.height))


def crossing(rng: np.random.Generator, person: int, begin: float, width: float, seconds: float) -> Visit:
    """Somebody walks through, from one side to the other, a little nearer or farther at the end."""
    sides = (-0.12, 1.12) if rng.random() < 0.5 else (1.12, -0.12)
    level = rng.uniform(0.25, 0.75)
    return Visit(
        person,
        begin,
        begin + seconds,
        (sides[0], level),
        (sides[1], level + rng.uniform(-0.1, 0.1)),
        (width, width * rng.uniform(0.8, 1.25)),
    )


def busy(frame: Frame, people: int) -> Scene:
    """Somebody comes every two seconds; most walk by, some stroll; four or five are there at a time."""
    rng = np.random.default_rng(frame.seed)
    visits: list[Visit] = []
    begin = 0.5
    while begin < frame.seconds - 5:
        width = frame.size[0] * rng.uniform(0.05, 0.11)
        seconds = rng.uniform(*PASSING_S) if rng.random() < PASSERS else rng.uniform(*STROLLING_S)
        visits.append(crossing(rng, int(rng.integers(people)), begin, width, float(seconds)))
        begin += rng.uniform(1.2, 2.8)
    return Scene(frame, visits)


def mostly_idle(frame: Frame, people: int) -> Scene:
    """Nobody is there but for two who walk by."""
    return _some(frame, people, [(0.3, 5.0), (0.7, 5.0)])


def mixed(frame: Frame, people: int) -> Scene:
    """Half of the time nobody is there; two walk by, one strolls."""
    return _some(frame, people, [(0.05, 5.0), (0.3, 20.0), (0.85, 5.0)])


def _some(frame: Frame, people: int, times: Sequence[tuple[float, float]]) -> Scene:
    rng = np.random.default_rng(frame.seed)
    return Scene(
        frame,
        [
            crossing(rng, int(rng.integers(people)), frame.seconds * share, frame.size[0] * 0.08, seconds)
            for share, seconds in times
        ],
    )


def still(frame: Frame, people: int) -> Scene:
    """One face that stays where it is."""
    place = (0.5, 0.45)
    person = int(np.random.default_rng(frame.seed).integers(people))
    visit = Visit(person, -1.0, frame.seconds + 1, place, place, (frame.size[0] * 0.2,) * 2, bob=0.002)
    return Scene(frame, [visit])


def film(scene: Scene, people: Sequence[Person], background: Image, file: Path) -> Truth:
    """Write the video and return its truth."""
    frame = scene.frame
    rng = np.random.default_rng(frame.seed)
    wide, high = frame.size
    ground = np.asarray(cv2.resize(background, frame.size, interpolation=cv2.INTER_CUBIC), np.uint8)
    noises = [rng.normal(0, NOISE, (high, wide, 1)).astype(np.int8) for _ in range(_NOISES)]
    count = round(frame.seconds * frame.fps)
    truth = Truth(frame.fps, count, [{} for _ in scene.visits])
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), frame.fps, frame.size)
    for number in range(count):
        image = ground.copy()
        for visit, boxes in zip(scene.visits, truth.visits, strict=True):
            box = _paste(image, people[visit.person], visit, number, frame.fps)
            if box:
                boxes[number] = box
        noisy = np.clip(image.astype(np.int16) + noises[int(rng.integers(_NOISES))], 0, 255)
        writer.write(noisy.astype(np.uint8))
    writer.release()
    return truth


def street(size: tuple[int, int], seed: int) -> Image:
    """Paint a background with walls, windows and texture, and nobody in it."""
    rng = np.random.default_rng(seed)
    wide, high = size
    coarse = rng.integers(60, 170, (high // 40, wide // 40, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(wide)), int(rng.integers(high))
        colour = [int(c) for c in rng.integers(30, 220, 3)]
        across = (x + int(rng.integers(20, wide // 6)), y + int(rng.integers(20, high // 3)))
        cv2.rectangle(image, (x, y), across, colour, -1 if rng.random() < 0.5 else 2)
    grain = rng.normal(0, 6, (high, wide, 1))
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) + grain, 0, 255).astype(np.uint8)


def _paste(
    image: Image, person: Person, visit: Visit, number: int, fps: float
) -> tuple[int, int, int, int] | None:
    moment = number / fps
    if not visit.begin <= moment <= visit.end:
        return None
    high, wide = image.shape[:2]
    gone = (moment - visit.begin) / (visit.end - visit.begin)
    scale = (visit.width[0] + gone * (visit.width[1] - visit.width[0])) / person.face.width
    step = visit.bob * math.sin(moment * 2 * math.pi * 1.8)
    x = wide * (visit.start[0] + gone * (visit.goal[0] - visit.start[0]))
    y = high * (visit.start[1] + gone * (visit.goal[1] - visit.start[1]) + step)
    source = person.pictures[number % (2 * len(person.pictures)) - len(person.pictures)]
    size = (max(2, round(source.shape[1] * scale)), max(2, round(source.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    head = np.asarray(cv2.resize(source, size, interpolation=how), np.uint8)
    left = round(x - (person.face.x + person.face.width / 2) * scale)
    top = round(y - (person.face.y + person.face.height / 2) * scale)
    _blend(image, head, left, top)
    face = (
        left + round(person.face.x * scale),
        top + round(person.face.y * scale),
        round(person.face.width * scale),
        round(person.face.height * scale),
    )
    return face if 0 <= x < wide and 0 <= y < high else None


def _blend(image: Image, head: Image, left: int, top: int) -> None:
    high, wide = image.shape[:2]
    x0, y0, x1, y1 = (
        max(0, left),
        max(0, top),
        min(wide, left + head.shape[1]),
        min(high, top + head.shape[0]),
    )
    if x0 >= x1 or y0 >= y1:
        return
    part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    edge = _soft(head.shape[0], head.shape[1])[part][..., None]
    under = image[y0:y1, x0:x1]
    image[y0:y1, x0:x1] = (head[part] * edge + under * (1 - edge)).astype(np.uint8)


def _soft(high: int, wide: int) -> NDArray[np.float32]:
    y, x = np.ogrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j]
    return np.asarray(np.clip((1.0 - np.sqrt(x**2 + y**2)) * 6, 0, 1), np.float32)


def _head(face: Box, image: Image) -> Box:
    high, wide = image.shape[:2]
    x, y = max(0, round(face.x - face.width * HEAD_MARGIN)), max(0, round(face.y - face.height * HEAD_MARGIN))
    right = min(wide, round(face.x + face.width * (1 + HEAD_MARGIN)))
    low = min(high, round(face.y + face.height * (1 + HEAD_MARGIN)))
    return Box(x, y, right - x, low - y)


def _part(image: Image, box: Box) -> Image:
    return image[box.y : box.y + box.height, box.x : box.x + box.width].copy()


def frames_of(clip: Path) -> Iterator[Image]:
    """Yield all frames of a video."""
    capture = cv2.VideoCapture(str(clip))
    while (got := capture.read())[0]:
        yield np.asarray(got[1], np.uint8)
