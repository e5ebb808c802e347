"""The clips: real ones as they are, and composed ones whose truth is known. What was tuned on is said."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from facefleet.detector.finding.yunet_opencv import YuNetOpenCV

from tests.bench.detector import scenes
from tests.bench.detector.labelled import REPORTED_ON, TUNED_ON, Labelled
from tests.bench.detector.scenes import Frame, Person, Scene, Truth
from tests.demo_files import DEMO, MODEL

MEDIA = Path(__file__).resolve().parents[4] / "shared" / "media"
FPS = 30.0
FULL_HD, HD, VGA = (1920, 1080), (1280, 720), (640, 480)
TUNED_SEED, REPORTED_SEED = 1, 1001
"""Composed clips of the first kind were looked at while the detector was tuned, those of the second never."""


class Clip(NamedTuple):
    """A video to measure on. `sample`: the naive way looks at one frame in so many."""

    kind: str
    file: Path
    sample: int
    tuned_on: bool
    truth: Truth | None = None

    @property
    def name(self) -> str:
        return self.file.stem


Make = Callable[[Frame, int], Scene]
COMPOSED: list[tuple[str, Make, tuple[int, int], float, int]] = [
    ("busy 1080p", scenes.busy, FULL_HD, 40.0, 30),
    ("busy 720p", scenes.busy, HD, 40.0, 15),
    ("busy 480p", scenes.busy, VGA, 40.0, 10),
    ("idle 1080p", scenes.mostly_idle, FULL_HD, 60.0, 60),
    ("mixed 720p", scenes.mixed, HD, 60.0, 30),
    ("still 480p", scenes.still, VGA, 60.0, 30),
]
REAL_KIND = "real"
KINDS = [REAL_KIND, *(kind for kind, *_ in COMPOSED)]
REAL_TUNED = ("WolfgangLanger_Pexels.mp4", "noface_face.mov", "asl_again.mkv", "asl_book.mkv")
REAL = (
    "single_face.mp4",
    "face_noface.mov",
    "no_face.mp4",
    "asl_sister.mkv",
    "asl_walk.mkv",
    "one-by-one-person-detection.mp4",
)


def composed(
    folder: Path, pictures: Sequence[Labelled], kinds: Sequence[str], *, seconds: float | None = None
) -> Iterator[Clip]:
    """Make those of some kinds, or take those that are there. `seconds` shortens all."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, seed, tuned in ((TUNED_ON, TUNED_SEED, True), (REPORTED_ON, REPORTED_SEED, False)):
        people = [*scenes.people_of([each for each in pictures if each.part == part]), _mover(tuned=tuned)]
        for kind, make, size, usual, sample in COMPOSED:
            if kind not in kinds:
                continue
            length = seconds or usual
            file = folder / f"{kind.replace(' ', '-')}-{seed}-{length:g}s.mp4"
            truth = file.with_suffix(".json")
            if not truth.is_file():
                scene = make(Frame(size, FPS, length, seed), len(people))
                scenes.film(scene, people, scenes.street(size, seed), file).save(truth)
            yield Clip(kind, file, sample, tuned, Truth.load(truth))


def real() -> Iterator[Clip]:
    """Yield those that are there."""
    for file in _there((*REAL_TUNED, *REAL)):
        yield Clip(REAL_KIND, file, 3, file.name in REAL_TUNED)


def _mover(*, tuned: bool) -> Person:
    """Somebody of a clip that every clone has, who moves by himself."""
    file = DEMO / "clips" / ("WolfgangLanger_Pexels.mp4" if tuned else "single_face.mp4")
    face = YuNetOpenCV(MODEL, 0.8, 640).find(next(scenes.frames_of(file)))[0]
    return scenes.mover_of(file, face.box)


def _there(names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        for folder in (DEMO / "clips", MEDIA):
            if (folder / name).is_file():
                yield folder / name
