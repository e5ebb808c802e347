"""Files at their own rate, or as fast as they can be looked at."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from facefleet.detector.sources.frame import CameraGoneError, Frame
from facefleet.detector.sources.playback import FileSource

from .conftest import number_of


def frames(source: FileSource, most: int = 10_000, every_s: float = 0.0) -> list[Frame]:
    found: list[Frame] = []
    not_before = 0.0
    while len(found) < most and (frame := source.read(not_before)):
        found.append(frame)
        not_before = frame.at + every_s
    return found


def numbers(source: FileSource, most: int = 10_000) -> list[int]:
    return [number_of(frame) for frame in frames(source, most)]


def test_a_file_is_played_at_its_own_rate_to_its_end(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=False)
    begun = time.monotonic()
    found = numbers(source)
    assert 0.9 <= time.monotonic() - begun <= 2.0
    assert found == sorted(set(found))
    assert len(found) > 20
    assert source.read() is None


def test_who_comes_late_gets_the_frame_of_that_moment(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=False)
    assert numbers(source, 1) == [0]
    time.sleep(0.4)
    assert 18 <= numbers(source, 1)[0] <= 40


def test_who_wants_a_later_frame_gets_it_then(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=False)
    begun = time.monotonic()
    frame = source.read(0.4)
    assert time.monotonic() - begun >= 0.39
    assert frame
    assert 20 <= number_of(frame) <= 40
    assert frame.at == pytest.approx(number_of(frame) / 50)


def test_a_long_pause_skips_nothing_and_does_not_race(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=False)
    numbers(source, 3)
    source._started -= 3600  # as if the container had been paused for an hour
    begun = time.monotonic()
    assert numbers(source, 1)[0] <= 5
    assert time.monotonic() - begun < 0.5


def test_a_loop_begins_again(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=True)
    deadline = time.monotonic() + 2.2
    found = []
    while time.monotonic() < deadline:
        found += numbers(source, 1)
    starts = [index for index in range(1, len(found)) if found[index] < found[index - 1]]
    assert len(starts) == 2


def test_frames_are_stamped_in_utc(stripes: Path, stop: threading.Event) -> None:
    frame = FileSource(stripes, stop, loop=False).read()
    assert frame
    assert frame.time.tzinfo is UTC
    assert abs(datetime.now(UTC) - frame.time) < timedelta(seconds=1)
    assert frame.picture.full().shape == (48, 64, 3)
    assert not frame.alone


def test_stop_ends_the_wait_for_a_frame(tmp_path: Path, stop: threading.Event) -> None:
    slow = tmp_path / "slow.avi"
    writer = cv2.VideoWriter(str(slow), cv2.VideoWriter.fourcc(*"MJPG"), 0.5, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    source = FileSource(slow, stop, loop=False)
    assert source.read()
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - begun < 1


def test_fast_leaves_out_nothing_and_its_clock_is_the_videos(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=False, fast=True)
    found = frames(source)
    assert [number_of(frame) for frame in found] == list(range(50))
    assert [frame.at for frame in found] == pytest.approx([number / 50 for number in range(50)])
    assert found[-1].time - found[0].time == timedelta(seconds=0.98)
    assert source.frames == 50


def test_fast_gives_the_frames_that_are_asked_for(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=False, fast=True)
    assert [number_of(frame) for frame in frames(source, every_s=0.2)] == [0, 10, 20, 30, 40]
    assert source.frames == 50


def test_the_clock_of_a_loop_goes_on_counting(stripes: Path, stop: threading.Event) -> None:
    found = frames(FileSource(stripes, stop, loop=True, fast=True), most=12, every_s=0.3)
    assert [frame.at for frame in found] == pytest.approx([0.3 * step for step in range(12)])
    assert [number_of(frame) for frame in found] == [15 * step % 50 for step in range(12)]


def test_fast_stops_when_told_to(stripes: Path, stop: threading.Event) -> None:
    source = FileSource(stripes, stop, loop=True, fast=True)
    assert source.read()
    stop.set()
    assert source.read() is None


def test_a_file_that_is_no_video_is_gone(tmp_path: Path, stop: threading.Event) -> None:
    file = tmp_path / "notes.mp4"
    file.write_text("not a video")
    with pytest.raises(CameraGoneError, match="not a video"):
        FileSource(file, stop, loop=False)
