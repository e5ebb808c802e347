"""The motion gate: what opens it and what does not."""

import cv2
import numpy as np
import pytest
from facefleet.detector.areas import Area
from facefleet.detector.gate import WIDTH_PX, MotionGate
from facefleet.detector.sources.frame import Luma

SHARE = 0.002
HIGH = 90
GENERATOR = np.random.default_rng(7)


def scene() -> Luma:
    """A smooth picture, as rooms are, neither dark nor bright."""
    coarse = GENERATOR.integers(90, 160, (6, 10), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (WIDTH_PX, HIGH), interpolation=cv2.INTER_CUBIC), np.uint8)


def changed(luma: Luma, by: float, noise: float = 0.0) -> Luma:
    noisy = luma + GENERATOR.normal(0, noise, luma.shape) + by
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def with_block(luma: Luma, x: int, y: int = 40, side: int = 8, level: int = 240) -> Luma:
    """With somebody far away in it."""
    copy = luma.copy()
    copy[y : y + side, x : x + side] = level
    return copy


def gate(searched: Luma, share: float = SHARE, *ignored: Area) -> MotionGate:
    made = MotionGate(share, ignored)
    made.searched(searched)
    return made


def test_the_first_picture_opens_it() -> None:
    assert MotionGate(SHARE, ()).moved(scene())


def test_the_same_picture_does_not() -> None:
    room = scene()
    assert not gate(room).moved(room)


def test_noise_does_not() -> None:
    room = scene()
    closed = gate(changed(room, 0, noise=6))
    assert not any(closed.moved(changed(room, 0, noise=6)) for _ in range(50))


@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_a_small_block_that_comes_goes_or_moves_does(noise: float) -> None:
    room = scene()
    near, far = with_block(room, 40), with_block(room, 52)
    for before, after in ((room, near), (near, room), (near, far)):
        assert gate(changed(before, 0, noise)).moved(changed(after, 0, noise))


@pytest.mark.parametrize("by", [-60, -25, 25, 60])
def test_a_change_of_the_light_as_a_whole_does_not_and_hides_nobody(by: int) -> None:
    room = scene()
    closed = gate(room)
    assert not closed.moved(changed(room, by))
    assert closed.moved(with_block(changed(room, by), 40, level=20))


def test_a_slow_drift_adds_up() -> None:
    room = scene()
    closed = gate(with_block(room, 40))
    found = [closed.moved(with_block(changed(room, 0), 40, level=240 - 2 * step)) for step in range(40)]
    assert not any(found[:8])
    assert all(found[20:])


def test_it_compares_with_the_picture_that_was_searched_not_with_the_one_before() -> None:
    room = scene()
    opened = gate(room)
    assert opened.moved(with_block(room, 40))
    assert opened.moved(with_block(room, 40))
    opened.searched(with_block(room, 40))
    assert not opened.moved(with_block(room, 40))


def test_what_moves_in_an_ignored_area_does_not_count_and_elsewhere_it_does() -> None:
    room = scene()
    closed = gate(room, SHARE, Area(0.2, 0.4, 0.3, 0.3))
    assert not closed.moved(with_block(room, 40))
    assert closed.moved(with_block(room, 100))
    assert closed.moved(with_block(room, 40, y=10))


def test_with_all_of_the_picture_ignored_nothing_opens_it() -> None:
    room = scene()
    assert not gate(room, SHARE, Area(0, 0, 1, 1)).moved(with_block(room, 40))


def test_a_larger_share_needs_a_larger_change() -> None:
    room = scene()
    closed = gate(room, 0.05)
    assert not closed.moved(with_block(room, 40))
    assert closed.moved(with_block(room, 40, side=40))


def test_with_a_share_of_nothing_it_is_always_open() -> None:
    room = scene()
    assert gate(room, 0.0).moved(room)


def test_a_picture_of_another_shape_opens_it() -> None:
    room = scene()
    assert gate(room).moved(room[:60])
