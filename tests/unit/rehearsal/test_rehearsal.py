"""The command as an operator uses it, on real videos."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from tests.demo_files import DEMO, MODEL, present


def detect(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "facefleet.rehearsal",
        *map(str, arguments),
        "--model",
        str(present(MODEL)),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture(scope="module")
def sky_then_a_man() -> Path:
    return present(DEMO / "clips" / "noface_face.mov")


def test_it_tells_what_would_be_sent(sky_then_a_man: Path) -> None:
    run = detect(sky_then_a_man)
    assert run.returncode == 0, run.stderr
    assert re.search(r"would send +2 shots of 1 faces", run.stdout)
    assert re.search(r"looked at +34 frames of 6\.\d s", run.stdout)


def test_it_explains_each_shot_and_each_silence(sky_then_a_man: Path) -> None:
    lines = detect(sky_then_a_man, "--explain").stdout.splitlines()
    explained = [line for line in lines if "sent:" in line]
    assert "not sent: too soon" in explained[0]
    assert "track 1 shot 1" in explained[1]
    assert "sent: first" in explained[1]
    assert "shot 2" in explained[-1]
    assert "last: the face is gone" in explained[-1]


def test_it_draws_a_video_and_a_contact_sheet(sky_then_a_man: Path, tmp_path: Path) -> None:
    video, sheet = tmp_path / "seen.mp4", tmp_path / "shots.png"
    assert detect(sky_then_a_man, "--out", video, "--out", sheet).returncode == 0
    capture = cv2.VideoCapture(str(video))
    frames = []
    while (got := capture.read())[0]:
        frames.append(got[1])
    assert len(frames) == 34
    # Green is what is followed: nobody in the sky, somebody at the end.
    green = [
        ((frame[..., 1] > 170) & (frame[..., 2] < 110) & (frame[..., 0] < 130)).mean() for frame in frames
    ]
    assert green[-1] > 10 * max(green[0], 1e-5)
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.std() > 20


def test_settings_change_the_result(sky_then_a_man: Path) -> None:
    assert "0 shots" in detect(sky_then_a_man, "--set", "min_face_px=400").stdout
    assert "0 shots" in detect(sky_then_a_man, "--set", "ignore=0,0,1,1").stdout


def test_pictures_are_looked_at_one_by_one(tmp_path: Path) -> None:
    group = present(DEMO / "clips" / "multi_face.jpg")
    (tmp_path / "group.jpg").write_bytes(group.read_bytes())
    assert "5 shots of 5 faces" in detect(tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["/nowhere.mp4"], "is no file"),
        (["{clip}", "--set", "detect_fp=2"], "did you mean --set DETECT_FPS"),
        (["{clip}", "--set", "ignore=2,0,1,1"], "no part of the picture"),
        (["{clip}", "--set", "loop"], "is not NAME=VALUE"),
        (["{clip}", "--out", "x.gif"], "ends in none of"),
        (["{clip}", "--out", "/nowhere/x.png"], "cannot be written"),
    ],
)
def test_a_mistake_is_told_in_words(arguments: list[str], word: str) -> None:
    clip = present(DEMO / "clips" / "no_face.mp4")
    run = detect(*(argument.format(clip=clip) for argument in arguments))
    assert run.returncode != 0
    assert word in run.stderr
    assert "Traceback" not in run.stderr
