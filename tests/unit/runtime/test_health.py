"""Health is what every part last said of itself, for as long as that counts."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from facefleet.runtime.health import HANGING_AFTER_S, Health, verdict


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "health.json"


def written(health: Health) -> None:
    stop = threading.Event()
    stop.set()
    health.write_until(stop)


def test_a_service_that_starts_is_not_healthy_yet(file: Path) -> None:
    assert Health(file, ["broker", "bucket"]).problems() == ["broker: starting", "bucket: starting"]


def test_all_conditions_good_is_healthy(file: Path) -> None:
    health = Health(file, ["broker", "bucket"])
    health.good("broker")
    health.good("bucket", "the last put succeeded")
    assert health.problems() == []


def test_a_bad_condition_says_why(file: Path) -> None:
    health = Health(file, ["broker", "bucket"])
    health.good("broker")
    health.bad("bucket", "no such bucket")
    assert health.problems() == ["bucket: no such bucket"]


def test_a_condition_recovers(file: Path) -> None:
    health = Health(file, ["broker"])
    report = health.follow("broker")
    report(False, "gone")  # noqa: FBT003 - as the link calls it
    assert health.problems() == ["broker: gone"]
    report(True, "connected")  # noqa: FBT003
    assert health.problems() == []


def test_a_condition_that_is_not_renewed_in_time_is_a_problem(file: Path) -> None:
    health = Health(file, ["camera"])
    health.good("camera", "a frame", valid_s=-0.001)
    assert health.problems() == ["camera: nothing new for too long"]
    health.good("camera", "a frame", valid_s=60)
    assert health.problems() == []


@pytest.mark.parametrize("say", ["good", "bad"])
def test_an_unknown_condition_is_a_mistake_of_ours(file: Path, say: str) -> None:
    with pytest.raises(KeyError, match="weather"):
        getattr(Health(file, ["broker"]), say)("weather", "fine")


def test_the_file_tells_what_the_service_said(file: Path) -> None:
    health = Health(file, ["broker"])
    written(health)
    assert verdict(file, time.time()) == ["broker: starting"]
    health.good("broker")
    written(health)
    assert verdict(file, time.time()) == []
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_nobody_renews_means_that_the_service_hangs(file: Path) -> None:
    health = Health(file, ["broker"])
    health.good("broker")
    written(health)
    old = time.time() - HANGING_AFTER_S - 5
    os.utime(file, (old, old))
    (problem,) = verdict(file, time.time())
    assert "hangs" in problem
    assert f"{HANGING_AFTER_S + 5:.0f} s" in problem


def test_no_file_is_a_problem(file: Path) -> None:
    (problem,) = verdict(file, time.time())
    assert problem.startswith("no health file yet")


@pytest.mark.parametrize("content", ["", "{", '{"problems": '])
def test_a_file_cut_short_is_a_problem(file: Path, content: str) -> None:
    file.write_text(content)
    (problem,) = verdict(file, time.time())
    assert problem.startswith("no health file yet")


def test_it_is_written_until_told_to_stop(file: Path) -> None:
    health = Health(file, ["broker"])
    stop = threading.Event()
    thread = threading.Thread(target=health.write_until, args=(stop,))
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert json.loads(file.read_text()) == {"problems": ["broker: starting"]}
