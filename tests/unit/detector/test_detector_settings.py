"""What the detector refuses to be told."""

import pytest
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
        ("repeat_s", "-1"),
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
