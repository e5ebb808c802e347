"""The frontal-face cascade."""

import numpy as np
from facefleet.detector.finding.haar import Haar

from .conftest import Clip, assert_sound, pictures_of


def test_haar_finds_the_face_and_its_score_is_a_share(clip: Clip) -> None:
    finder = Haar(40)
    frames = list(pictures_of(clip("WolfgangLanger_Pexels.mp4"), 48))
    found = [finder.find(image) for _, image in frames]
    assert sum(map(bool, found)) >= len(frames) / 2
    for faces, (_, image) in zip(found, frames, strict=True):
        for face in faces:
            assert_sound(face, image)
            assert face.landmarks is None


def test_haar_finds_nothing_in_an_empty_picture() -> None:
    assert Haar(40).find(np.zeros((360, 640, 3), np.uint8)) == []
