"""What the detector refuses to be told."""

import pytest
from facefleet.detector.areas import Area
from facefleet.detector.settings import DetectorSettings
from facefleet.runtime.settings import SettingsError, load

GIVEN = {
    "FACEFLEET_BROKER": "mqtt://edge:1883",
    "FACEFLEET_DEVICE": "jetson-01",
    "FACEFLEET_CAMERA": "door",
    "FACEFLEET_SOURCE": "/clips/door.mp4",
}


def problems(**more: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(DetectorSettings, GIVEN | {f"FACEFLEET_{name.upper()}": value for name, value in more.items()})
    return caught.value.problems


def test_the_least_is_enough() -> None:
    settings = load(DetectorSettings, GIVEN)
    assert (settings.finder, settings.detect_fps, settings.loop) == ("yunet", 5.0, False)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("/clips/a.mp4", "file"),
        ("clips/a.mp4", "file"),
        ("/dev/video0", "device"),
        ("rtsp://cam/1", "stream"),
        ("RTSP://cam/1", "stream"),
        ("https://cam/a.mjpg", "stream"),
        ("gstreamer: v4l2src ! appsink", "pipeline"),
        ("gstreamer:v4l2src ! appsink drop=true max-buffers=1 ", "pipeline"),
    ],
)
def test_the_kind_of_a_source(source: str, kind: str) -> None:
    assert load(DetectorSettings, GIVEN | {"FACEFLEET_SOURCE": source}).source_kind == kind


def test_a_number_is_a_device() -> None:
    settings = load(DetectorSettings, GIVEN | {"FACEFLEET_SOURCE": "2"})
    assert (settings.source, settings.source_kind) == ("/dev/video2", "device")


def test_an_unknown_scheme_is_refused() -> None:
    (problem,) = problems(source="ftp://cam/1")
    assert "FACEFLEET_SOURCE='ftp://cam/1' is impossible" in problem
    assert "rtsp" in problem


def test_a_pipeline_is_what_comes_after_its_mark() -> None:
    settings = load(DetectorSettings, GIVEN | {"FACEFLEET_SOURCE": "gstreamer: v4l2src ! appsink "})
    assert settings.pipeline == "v4l2src ! appsink"


def test_a_pipeline_that_ends_elsewhere_gets_the_remedy() -> None:
    (problem,) = problems(source="gstreamer: v4l2src ! autovideosink")
    assert "end the pipeline in ! appsink drop=true max-buffers=1" in problem


def test_areas_to_ignore_are_read() -> None:
    settings = load(DetectorSettings, GIVEN | {"FACEFLEET_IGNORE": "0,0,0.5,0.25"})
    assert settings.ignore == (Area(0, 0, 0.5, 0.25),)


@pytest.mark.parametrize("source", ["/clips/a.mp4", "rtsp://u:secret@cam/1", "gstreamer: v4l2src ! appsink"])
@pytest.mark.parametrize(
    ("name", "value"), [("pixel_format", "mjpeg"), ("width", "640"), ("height", "480"), ("fps", "15")]
)
def test_only_a_usb_camera_can_be_asked_for_something(source: str, name: str, value: str) -> None:
    load(DetectorSettings, GIVEN | {"FACEFLEET_SOURCE": "0", f"FACEFLEET_{name.upper()}": value})
    (problem,) = problems(source=source, **{name: value})
    assert problem.startswith(f"FACEFLEET_{name.upper()} is impossible with FACEFLEET_SOURCE=")
    assert "secret" not in problem


@pytest.mark.parametrize("source", ["rtsp://u:secret@cam/1", "/dev/video0", "0"])
def test_only_a_file_can_loop_and_no_password_is_told(source: str) -> None:
    (problem,) = problems(source=source, loop="true")
    assert "FACEFLEET_LOOP=true is impossible with FACEFLEET_SOURCE=" in problem
    assert "set FACEFLEET_LOOP=false" in problem
    assert "secret" not in problem


def test_a_password_is_not_shown() -> None:
    source = "rtsp://me:secret@cam:554/live?token=hidden"
    settings = load(DetectorSettings, GIVEN | {"FACEFLEET_SOURCE": source})
    assert settings.source == source
    assert settings.source_shown == "rtsp://me@cam:554/live"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("detect_fps", "0"),
        ("detect_fps", "31"),
        ("score_threshold", "1.1"),
        ("min_face_px", "0"),
        ("score_threshold", "-0.1"),
        ("follow_threshold", "1.1"),
        ("lost_s", "-1"),
        ("first_shot_s", "61"),
        ("better_by", "-0.1"),
        ("better_after_s", "-1"),
        ("max_shots", "0"),
        ("repeat_s", "-1"),
        ("min_quality", "2"),
        ("input_px", "100"),
        ("image_quality", "0"),
        ("image_quality", "101"),
        ("pace", "slow"),
        ("motion", "1.5"),
        ("ignore", "everything"),
        ("ignore", "0,0,2,1"),
        ("image_format", "gif"),
        ("source", "gstreamer: videotestsrc ! fakesink"),
        ("margin", "-0.1"),
        ("outbox_max_bytes", "0"),
        ("finder", "magic"),
        ("camera", "Front Door"),
        ("source", ""),
    ],
)
def test_impossible_values_are_named(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert f"FACEFLEET_{name.upper()}={value!r} is impossible" in problem


def test_no_camera_has_the_name_of_the_probe() -> None:
    assert problems(camera="probe") == [
        "FACEFLEET_CAMERA='probe' is impossible: probe is reserved: choose another name"
    ]


def test_a_misspelt_setting_gets_a_hint() -> None:
    assert problems(repeats="3") == [
        "FACEFLEET_REPEATS is not a setting of this service: did you mean FACEFLEET_REPEAT_S?"
    ]
