"""From frames to shots, on real videos, and on faces that a test gives."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from facefleet.detector.finding.choose import choose_finder
from facefleet.detector.finding.face import Face
from facefleet.detector.pipeline import Look, Pipeline, Sent
from facefleet.detector.sources.frame import CameraGoneError, Frame, Image, Jpeg
from facefleet.detector.sources.playback import FileSource

from .conftest import Clip, face, frame_of, pictures_of, read_image, settings_for

EVERY_S = 0.2
NOISE: Image = np.random.default_rng(5).integers(0, 256, (480, 640, 3), dtype=np.uint8)


class Played:
    """A clip that went through the pipeline."""

    def __init__(self, model: Path, clip: Path, **given: Any) -> None:
        settings = settings_for(clip, model=str(model), **given)
        pipeline = Pipeline(settings, choose_finder(settings), first_track=7)
        source = FileSource(clip, threading.Event(), loop=False, fast=True)
        self.looks: list[Look] = []
        self.shots: list[tuple[float, Sent]] = []
        self.length_s = 0.0
        while frame := source.read(self.length_s):
            self.length_s = frame.at + EVERY_S
            self.looks.append(pipeline.look(frame))
            self.shots += [(frame.at, sent) for sent in self.looks[-1].shots]
        self.shots += [(self.length_s, sent) for sent in pipeline.finish()]

    @property
    def tracks(self) -> set[int]:
        return {sent.track for _, sent in self.shots}


@pytest.fixture(scope="module")
def woman(model: Path, clip: Clip) -> Played:
    return Played(model, clip("WolfgangLanger_Pexels.mp4"))


def test_one_who_stays_is_one_track_with_few_shots_the_last_of_them_flagged(woman: Played) -> None:
    assert woman.tracks == {7}
    assert 2 <= len(woman.shots) <= 4
    assert [sent.shot.last for _, sent in woman.shots] == [False] * (len(woman.shots) - 1) + [True]
    assert [sent.shot.number for _, sent in woman.shots] == list(range(1, len(woman.shots) + 1))


def test_the_first_shot_comes_soon(woman: Played) -> None:
    assert woman.shots[0][0] <= 1.2


def test_a_shot_knows_where_it_was(woman: Played) -> None:
    sight = woman.shots[0][1].shot.picture
    assert sight.frame_size == (640, 360)
    assert sight.face.landmarks
    assert sight.crop.shape[1] > sight.face.box.width


@pytest.mark.parametrize("finder", ["yunet", "yunet-opencv"])
def test_nobody_means_no_shot(model: Path, clip: Clip, finder: str) -> None:
    assert not Played(model, clip("no_face.mp4"), finder=finder).shots


@pytest.mark.parametrize("finder", ["yunet", "yunet-opencv"])
def test_who_comes_in_the_second_half_is_one_visit_that_begins_then(
    model: Path, clip: Clip, finder: str
) -> None:
    played = Played(model, clip("noface_face.mov"), finder=finder)
    assert played.tracks == {7}
    began = {followed.track.began for look in played.looks for followed in look.followed}
    assert len(began) == 1
    assert began.pop() > played.length_s * 0.45
    assert played.shots[-1][1].shot.last


def test_haar_serves_too(model: Path, clip: Clip) -> None:
    shots = Played(model, clip("single_face.mp4"), finder="haar").shots
    assert len(shots) >= 2
    assert shots[-1][1].shot.last


@pytest.mark.parametrize("area", ["0,0,1,1", "0.4,0,0.6,1"])
def test_when_the_only_face_is_ignored_nothing_is_sent(model: Path, clip: Clip, area: str) -> None:
    assert not Played(model, clip("WolfgangLanger_Pexels.mp4"), ignore=area).shots


def test_nothing_below_the_least_quality_is_sent_and_the_silence_says_so(model: Path, clip: Clip) -> None:
    played = Played(model, clip("noface_face.mov"), min_quality=0.99)
    assert not played.shots
    silences = {followed.silence for look in played.looks for followed in look.followed}
    assert silences == {"nothing of quality 0.99"}


def test_who_stands_still_is_followed_with_few_searches(model: Path, clip: Clip) -> None:
    settings = settings_for("a.mp4", model=str(model))
    pipeline = Pipeline(settings, choose_finder(settings))
    _, image = next(pictures_of(clip("WolfgangLanger_Pexels.mp4"), 1))
    looks = [pipeline.look(frame_of(image, turn * EVERY_S)) for turn in range(100)]
    assert sum(bool(look.searched) for look in looks) <= 25
    shots = [sent for look in looks for sent in look.shots] + pipeline.finish()
    assert [sent.shot.last for sent in shots] == [False, True]


def test_a_picture_of_its_own_is_sent_at_once(model: Path, clip: Clip) -> None:
    settings = settings_for("pictures", model=str(model))
    pipeline = Pipeline(settings, choose_finder(settings))
    frame = frame_of(read_image(clip("multi_face.jpg")), alone=True)
    for first in (1, 6):  # nobody is taken for who was in the picture before
        look = pipeline.look(frame)
        assert sorted(sent.track for sent in look.shots) == list(range(first, first + 5))
        assert all((sent.shot.number, sent.shot.last) == (1, True) for sent in look.shots)
    assert not pipeline.finish()


class Found:
    """A finder that finds at each search what it was told to."""

    def __init__(self, searches: Sequence[Sequence[Face]]) -> None:
        self._searches = iter(searches)

    def find(self, _image: Image) -> list[Face]:
        return list(next(self._searches))


def looked(searches: Sequence[Sequence[Face]], **given: Any) -> tuple[list[Look], list[Sent]]:
    """Search a picture each 0.2 s; return the looks and what is sent at the end."""
    pipeline = Pipeline(settings_for("a.mp4", motion=0, **given), Found(searches))
    looks = [pipeline.look(frame_of(NOISE, turn * EVERY_S)) for turn in range(len(searches))]
    return looks, pipeline.finish()


def test_what_is_found_once_is_not_followed_and_not_sent() -> None:
    looks, at_end = looked([[face(100)], *[[]] * 10])
    assert not any(look.followed or look.shots for look in looks)
    assert not at_end


def test_who_is_gone_before_the_first_shot_is_sent_once_and_numbered_then() -> None:
    looks, at_end = looked([[face(100)], [face(101)], *[[]] * 10])
    (sent,) = [sent for look in looks for sent in look.shots]
    assert (sent.track, sent.shot.number, sent.shot.last) == (1, 1, True)
    assert not at_end


def test_who_comes_again_after_being_gone_is_another() -> None:
    visit = [[face(100)]] * 3 + [[]] * 10
    looks, _ = looked(visit * 2)
    assert [sent.track for look in looks for sent in look.shots if sent.shot.last] == [1, 2]


def test_a_face_that_is_mostly_unsure_is_not_sent_and_the_silence_says_so() -> None:
    searches = [[face(100, score=0.76)], *[[face(100, score=0.51)]] * 20]
    looks, at_end = looked(searches)
    assert not at_end
    assert not any(look.shots for look in looks)
    assert looks[-1].followed[0].silence == "its mean score is below 0.6"


def test_two_have_their_own_numbers_in_the_order_of_their_first_shots() -> None:
    looks, at_end = looked([[face(100)]] * 3 + [[face(100), face(400)]] * 10)
    assert [sent.track for look in looks for sent in look.shots] == [1, 2]
    assert sorted(sent.track for sent in at_end) == [1, 2]
    assert all(sent.shot.last for sent in at_end)


def test_who_stays_is_sent_again_as_often_as_told() -> None:
    looks, at_end = looked([[face(100)]] * 51, repeat_s=2, first_shot_s=1)
    sent_at = [turn * EVERY_S for turn, look in enumerate(looks) if look.shots]
    assert sent_at == pytest.approx([1, 3, 5, 7, 9])
    assert [sent.shot.number for sent in at_end] == [6]


def test_a_frame_that_cannot_be_decoded_loses_the_camera_and_who_was_there_is_sent() -> None:
    pipeline = Pipeline(settings_for("a.mp4", motion=0), Found([[face(100)]] * 2))
    for at in (0.0, 0.2):
        pipeline.look(frame_of(NOISE, at))
    good = frame_of(NOISE, 0.4)
    with pytest.raises(CameraGoneError):
        pipeline.look(Frame(Jpeg(np.zeros(9, np.uint8)), good.time, good.at))
    assert [sent.shot.last for sent in pipeline.finish()] == [True]
    assert pipeline.finish() == []


def test_a_still_picture_in_which_nobody_is_is_searched_seldom() -> None:
    pipeline = Pipeline(settings_for("a.mp4"), Found([[]] * 5))
    why = [pipeline.look(frame_of(NOISE, turn * EVERY_S)).searched for turn in range(60)]
    assert [reason for reason in why if reason] == ["first", "long ago", "long ago"]
