"""A folder of pictures: each is shown, and a damaged one does no harm."""

import struct
import threading
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from facefleet.detector.sources.frame import CameraGoneError
from facefleet.detector.sources.pictures import PictureSource

from tests.unit.conftest import Lines

from .conftest import number_of


def picture(number: int) -> bytes:
    return cv2.imencode(".png", np.full((48, 64, 3), number * 5, np.uint8))[1].tobytes()


def of_impossible_size(png: bytes) -> bytes:
    """The same, saying that it is 60 000 pixels wide and high."""
    head = png[12:16] + struct.pack(">II", 60_000, 60_000) + png[24:29]
    return png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures 1 to 3, and what is none."""
    for name, number in (("b.PNG", 2), ("a.png", 1), ("c.png", 3)):
        (tmp_path / name).write_bytes(picture(number))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def numbers(source: PictureSource, most: int = 100) -> list[int]:
    found: list[int] = []
    while len(found) < most and (frame := source.read()):
        assert frame.alone
        found.append(number_of(frame))
    return found


def test_all_are_shown_by_name_once(folder: Path, stop: threading.Event) -> None:
    source = PictureSource(folder, stop, every_s=0, loop=False)
    assert numbers(source) == [1, 2, 3]
    assert source.read() is None


def test_a_loop_begins_again(folder: Path, stop: threading.Event) -> None:
    assert numbers(PictureSource(folder, stop, every_s=0, loop=True), 7) == [1, 2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize(
    "damaged", [b"", b"no picture", picture(9)[:40], of_impossible_size(picture(9))], ids=len
)
def test_a_damaged_one_is_told_and_left_out(
    folder: Path, stop: threading.Event, lines: Lines, damaged: bytes
) -> None:
    (folder / "b.PNG").write_bytes(damaged)
    assert numbers(PictureSource(folder, stop, every_s=0, loop=False)) == [1, 3]
    (line,) = lines
    assert (line["log_level"], line["file"]) == ("warning", "b.PNG")
    assert "left out" in line["event"]


@pytest.mark.parametrize("loop", [False, True])
def test_when_all_are_damaged_the_camera_is_gone(folder: Path, stop: threading.Event, *, loop: bool) -> None:
    for name in ("a.png", "b.PNG", "c.png"):
        (folder / name).write_text("no picture")
    with pytest.raises(CameraGoneError, match="none of the pictures"):
        numbers(PictureSource(folder, stop, every_s=0, loop=loop))


def test_a_folder_without_pictures_says_what_it_looked_for(tmp_path: Path, stop: threading.Event) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(CameraGoneError, match=r"no picture there \(.*\.jpg"):
        PictureSource(tmp_path, stop, every_s=0, loop=False)


def test_the_next_one_comes_when_it_is_due_and_stop_does_not_wait_for_it(
    folder: Path, stop: threading.Event
) -> None:
    source = PictureSource(folder, stop, every_s=60, loop=False)
    begun = time.monotonic()
    assert numbers(source, 1) == [1]
    threading.Timer(0.1, stop.set).start()
    assert source.read() is None
    assert 0.09 <= time.monotonic() - begun < 2


def test_stop_ends_a_fast_loop(folder: Path, stop: threading.Event) -> None:
    source = PictureSource(folder, stop, every_s=0, loop=True)
    assert numbers(source, 2) == [1, 2]
    stop.set()
    assert source.read() is None
