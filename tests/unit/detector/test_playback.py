"""Files at their own rate, and a live camera that comes and goes."""

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import pytest
from facefleet.detector import source as source_module
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.source import (
    CameraGoneError,
    FileSource,
    LiveSource,
    Source,
    check_source,
    open_source,
)
from facefleet.runtime.service import ServiceError
from pydantic import AnyUrl

from .conftest import Stream, number_of


def numbers(source: Source, most: int = 10_000) -> list[int]:
    found: list[int] = []
    while len(found) < most and (frame := source.read()):
        found.append(number_of(frame.image))
    return found


def settings(source: str, *, loop: bool = False) -> DetectorSettings:
    return DetectorSettings(
        broker=AnyUrl("mqtt://localhost"), device="d", camera="c", source=source, loop=loop
    )


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
    assert frame.image.shape == (48, 64, 3)


def test_stop_ends_the_wait_for_a_frame(tmp_path: Path, stop: threading.Event) -> None:
    slow = tmp_path / "slow.avi"
    writer = cv2.VideoWriter(str(slow), cv2.VideoWriter.fourcc(*"MJPG"), 0.5, (64, 48))
    for _ in range(3):
        writer.write(cv2.UMat(48, 64, cv2.CV_8UC3).get())
    writer.release()
    source = FileSource(slow, stop, loop=False)
    assert source.read()
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    assert source.read() is None
    assert time.monotonic() - begun < 1


def test_a_file_that_is_no_video_is_gone(tmp_path: Path, stop: threading.Event) -> None:
    file = tmp_path / "notes.mp4"
    file.write_text("not a video")
    with pytest.raises(CameraGoneError, match="not a video"):
        open_source(settings(str(file)), stop)


def test_a_missing_file_is_named_at_start(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"FACEFLEET_SOURCE=.*absent\.mp4' is no file"):
        check_source(settings(str(tmp_path / "absent.mp4")))


def test_a_missing_device_is_gone_not_fatal(stop: threading.Event) -> None:
    check_source(settings("/dev/video77"))
    with pytest.raises(CameraGoneError, match="plug it in"):
        open_source(settings("/dev/video77"), stop).read()


def test_a_live_camera_gives_the_newest_frame_only(stream: Stream, stop: threading.Event) -> None:
    with stream() as url:
        source = open_source(settings(url), stop)
        (first,) = numbers(source, 1)
        time.sleep(0.3)
        second, third = numbers(source, 2)
        source.close()
    assert (second - first) % 50 >= 10
    assert 1 <= (third - second) % 50 <= 12


def test_a_live_camera_that_ends_is_gone(stream: Stream, stop: threading.Event) -> None:
    with stream(ends_after=15) as url:
        source = open_source(settings(url), stop)
        with pytest.raises(CameraGoneError, match="ended"):
            numbers(source)


def test_a_live_camera_that_stalls_is_noticed(
    stream: Stream, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "READ_TIMEOUT_S", 1.0)
    with stream(stalls_after=5) as url:
        source = LiveSource(url, cv2.CAP_FFMPEG, stop)
        with pytest.raises(CameraGoneError, match=r"no frame|ended"):
            numbers(source)


def test_nothing_at_the_address_is_gone_and_stop_does_not_wait(stop: threading.Event) -> None:
    with pytest.raises(CameraGoneError, match="no video there"):
        open_source(settings("rtsp://127.0.0.1:9/none"), stop).read()
    stop.set()
    begun = time.monotonic()
    assert open_source(settings("rtsp://127.0.0.1:9/none"), stop).read() is None
    assert time.monotonic() - begun < 0.5
