"""Which source the settings name, and what is wrong with it."""

import os
import threading
from pathlib import Path

import cv2
import pytest
from facefleet.detector.sources.frame import CameraGoneError
from facefleet.detector.sources.live import LiveSource
from facefleet.detector.sources.pictures import PictureSource
from facefleet.detector.sources.playback import FileSource
from facefleet.detector.sources.source import check_source, open_source
from facefleet.runtime.service import ServiceError

from .conftest import Stream, settings_for

PIPELINE = "gstreamer: videotestsrc ! videoconvert ! appsink drop=true max-buffers=1"


def test_a_file_is_played(stripes: Path, stop: threading.Event) -> None:
    check_source(settings_for(stripes))
    assert isinstance(open_source(settings_for(stripes), stop), FileSource)


def test_a_folder_is_shown_as_often_as_it_is_looked_at(tmp_path: Path, stop: threading.Event) -> None:
    (tmp_path / "a.jpg").touch()
    check_source(settings_for(tmp_path))
    source = open_source(settings_for(tmp_path, detect_fps=4), stop)
    assert isinstance(source, PictureSource)
    assert source._every_s == 0.25
    fast = open_source(settings_for(tmp_path, pace="fast"), stop)
    assert isinstance(fast, PictureSource)
    assert fast._every_s == 0


def test_an_address_is_followed(stream: Stream, stop: threading.Event) -> None:
    with stream() as url:
        source = open_source(settings_for(url), stop)
        assert isinstance(source, LiveSource)
        assert source.read(0.0)
        source.close()


def test_a_missing_file_is_named_at_start(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"FACEFLEET_SOURCE=.*absent\.mp4' is no file"):
        check_source(settings_for(tmp_path / "absent.mp4"))


def test_a_missing_device_is_gone_not_fatal(stop: threading.Event) -> None:
    check_source(settings_for("/dev/video77"))
    with pytest.raises(CameraGoneError, match="plug it in"):
        open_source(settings_for("/dev/video77"), stop).read(0.0)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_gone_and_says_who_may_not(
    tmp_path: Path, stop: threading.Event
) -> None:
    file = tmp_path / "secret.mp4"
    file.touch(mode=0)
    with pytest.raises(CameraGoneError, match=f"user {os.getuid()} may not read it"):
        open_source(settings_for(file), stop)


@pytest.mark.skipif(
    cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV was built with GStreamer"
)
def test_a_pipeline_without_gstreamer_is_refused_at_start() -> None:
    with pytest.raises(ServiceError, match="needs an OpenCV that was built with GStreamer"):
        check_source(settings_for(PIPELINE))


def test_a_pipeline_that_does_not_start_is_gone(stop: threading.Event) -> None:
    with pytest.raises(CameraGoneError, match="gst-launch"):
        open_source(settings_for("gstreamer: nonsense ! appsink"), stop).read(0.0)
