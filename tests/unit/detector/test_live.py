"""A live camera that comes and goes, and what a USB camera is asked for."""

import threading
import time
from typing import cast

import cv2
import numpy as np
import pytest
from facefleet.detector.sources import live
from facefleet.detector.sources.frame import CameraGoneError, Decoded, Jpeg
from facefleet.detector.sources.live import Ask, LiveSource, ask_camera, picture_of

from tests.unit.conftest import Lines

from .conftest import Stream, number_of


def opened(url: str, stop: threading.Event) -> LiveSource:
    return LiveSource(url, cv2.CAP_FFMPEG, stop)


def numbers(source: LiveSource, most: int = 10_000) -> list[int]:
    found: list[int] = []
    while len(found) < most and (frame := source.read()):
        found.append(number_of(frame))
    return found


def test_a_live_camera_gives_the_newest_frame_only(stream: Stream, stop: threading.Event) -> None:
    with stream() as url:
        source = opened(url, stop)
        (first,) = numbers(source, 1)
        time.sleep(0.3)
        second, third = numbers(source, 2)
        source.close()
    assert (second - first) % 50 >= 10
    assert 1 <= (third - second) % 50 <= 12


def test_a_live_camera_is_left_in_peace_until_a_frame_is_due(stream: Stream, stop: threading.Event) -> None:
    with stream() as url:
        source = opened(url, stop)
        first = source.read()
        assert first
        second = source.read(first.at + 0.4)
        source.close()
    assert second
    assert 0.4 <= second.at - first.at < 2
    assert second.time > first.time


def test_a_live_camera_that_ends_is_gone(stream: Stream, stop: threading.Event) -> None:
    with stream(ends_after=15) as url, pytest.raises(CameraGoneError, match="ended"):
        numbers(opened(url, stop))


def test_a_live_camera_that_stalls_is_noticed(
    stream: Stream, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "READ_TIMEOUT_S", 1.0)
    with stream(stalls_after=5) as url, pytest.raises(CameraGoneError, match=r"no frame|ended"):
        numbers(opened(url, stop))


def test_nothing_at_the_address_is_gone_and_stop_does_not_wait(stop: threading.Event) -> None:
    with pytest.raises(CameraGoneError, match="no video there"):
        opened("rtsp://127.0.0.1:9/none", stop).read()
    stop.set()
    begun = time.monotonic()
    assert opened("rtsp://127.0.0.1:9/none", stop).read(60) is None
    assert time.monotonic() - begun < 0.5


def test_a_camera_that_is_unplugged_comes_back_again_and_again(stream: Stream, stop: threading.Event) -> None:
    for _ in range(5):
        with stream(ends_after=4) as url, pytest.raises(CameraGoneError):
            numbers(opened(url, stop))


NAMES = {
    cv2.CAP_PROP_FOURCC: "fourcc",
    cv2.CAP_PROP_FRAME_WIDTH: "width",
    cv2.CAP_PROP_FRAME_HEIGHT: "height",
    cv2.CAP_PROP_FPS: "fps",
    cv2.CAP_PROP_CONVERT_RGB: "convert",
}
YUYV, MJPG = (cv2.VideoWriter.fourcc(*name) for name in ("YUYV", "MJPG"))


class Camera:
    """A camera of 640x480 YUYV at 30/s; what it `knows` beside that it does, the rest it leaves as it is."""

    def __init__(self, **knows: list[float]) -> None:
        self._knows = knows
        self.asked: dict[str, float] = {}
        self._does = {"fourcc": float(YUYV), "width": 640.0, "height": 480.0, "fps": 30.0}

    def set(self, name: int, value: float) -> bool:
        self.asked[NAMES[name]] = value
        known = value in self._knows.get(NAMES[name], [])
        if known:
            self._does[NAMES[name]] = value
        return known

    def get(self, name: int) -> float:
        return self._does.get(NAMES[name], 0.0)


def ask(camera: Camera, wish: Ask) -> None:
    ask_camera(cast("cv2.VideoCapture", camera), wish, "/dev/video0")


def test_a_camera_that_is_asked_for_nothing_is_left_as_it_is(lines: Lines) -> None:
    camera = Camera()
    ask(camera, Ask())
    assert camera.asked == {}
    (line,) = lines
    assert (line["log_level"], line["event"], line["gives"]) == (
        "info",
        "camera opened",
        "YUYV 640x480 at 30/s",
    )


def test_a_camera_does_what_it_is_asked_for_and_its_jpegs_stay_undecoded(lines: Lines) -> None:
    camera = Camera(fourcc=[MJPG], width=[1920], height=[1080], fps=[25])
    ask(camera, Ask("mjpeg", 1920, 1080, 25.0))
    assert camera.asked == {"fourcc": MJPG, "width": 1920, "height": 1080, "fps": 25, "convert": 0}
    (line,) = lines
    assert (line["log_level"], line["source"]) == ("info", "/dev/video0")
    assert line["gives"] == "MJPG 1920x1080 at 25/s"


@pytest.mark.parametrize(
    ("wish", "asked"),
    [
        (Ask(pixel_format="mjpeg"), "MJPG 640x480 at 30/s"),
        (Ask(width=1920, height=1080), "YUYV 1920x1080 at 30/s"),
        (Ask(fps=60.0), "YUYV 640x480 at 60/s"),
    ],
)
def test_a_camera_that_does_something_else_is_told_with_a_remedy(lines: Lines, wish: Ask, asked: str) -> None:
    camera = Camera()
    ask(camera, wish)
    assert "convert" not in camera.asked
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("warning", "the camera gives something else")
    assert (line["asked"], line["gives"]) == (asked, "YUYV 640x480 at 30/s")
    assert "v4l2-ctl" in line["remedy"]


def test_a_rate_that_is_off_by_a_little_is_no_word_worth(lines: Lines) -> None:
    ask(Camera(), Ask(fps=29.97))
    assert [line["log_level"] for line in lines] == ["info"]


def test_a_camera_that_does_not_say_its_format_is_no_fault(lines: Lines) -> None:
    camera = Camera(fourcc=[0])
    camera.set(cv2.CAP_PROP_FOURCC, 0)
    ask(camera, Ask())
    assert lines[0]["gives"] == "? 640x480 at 30/s"


def test_pixels_are_a_picture_and_bytes_are_a_jpeg() -> None:
    pixels = np.full((48, 64, 3), 100, np.uint8)
    assert isinstance(picture_of(pixels), Decoded)
    data = np.asarray(cv2.imencode(".jpg", pixels)[1], np.uint8)
    for form in (data.reshape(1, -1), data.reshape(-1, 1), data.reshape(-1)):
        picture = picture_of(form)
        assert isinstance(picture, Jpeg)
        assert picture.full().shape == (48, 64, 3)
