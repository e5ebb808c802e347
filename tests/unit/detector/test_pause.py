"""A file pauses the camera for as long as it is there."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from facefleet.detector import pause as module
from facefleet.detector.pause import Pause


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.005)
    told = threading.Event()
    yield told
    told.set()


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "lobby"


def turns(pause: Pause, *, on: bool) -> bool:
    deadline = time.monotonic() + 5
    while pause.on is not on and time.monotonic() < deadline:
        time.sleep(0.001)
    return pause.on is on


def test_a_camera_that_is_paused_is_not_opened_at_the_start(marker: Path, stop: threading.Event) -> None:
    marker.touch()
    pause = Pause(marker)
    assert pause.on
    pause.start(stop)
    assert pause.interruption().is_set()


def test_another_cameras_file_and_a_missing_folder_pause_nobody(marker: Path) -> None:
    (marker.parent / "garden").touch()
    assert not Pause(marker).on
    assert not Pause(marker / "none" / "lobby").on


def test_it_interrupts_and_an_interruption_is_not_taken_back(marker: Path, stop: threading.Event) -> None:
    pause = Pause(marker)
    pause.start(stop)
    leave = pause.interruption()
    assert not leave.wait(0.05)
    marker.touch()
    assert leave.wait(5)
    assert turns(pause, on=True)
    marker.unlink()
    assert turns(pause, on=False)
    assert leave.is_set()
    assert not pause.interruption().is_set()


def test_being_told_to_stop_interrupts_too(marker: Path, stop: threading.Event) -> None:
    pause = Pause(marker)
    pause.start(stop)
    leave = pause.interruption()
    stop.set()
    assert leave.wait(5)
    assert pause.interruption().is_set()
    assert not pause.on


def test_a_folder_that_cannot_be_read_leaves_it_as_it_was(
    marker: Path, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker.touch()
    pause = Pause(marker)
    refused = threading.Event()

    def refuse(_path: Path) -> None:
        refused.set()
        raise PermissionError

    monkeypatch.setattr(Path, "stat", refuse)
    pause.start(stop)
    assert refused.wait(5)
    time.sleep(0.02)
    assert pause.on
