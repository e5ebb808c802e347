"""One run at a time changes a host's stacks; what a dead one left is taken over, and that is said."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.roles.conftest import ROLES, Play, module_of

MODULE = ROLES / "stack/library/stack_lock.py"


@pytest.fixture(scope="module")
def locks() -> ModuleType:
    return module_of("stack", "stack_lock")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "facefleet/lock"


def changed(path: Path, **parts: object) -> None:
    """Let the lock say something else, as another run would have written it."""
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))


def test_who_has_it_is_named_to_the_next_one_until_it_is_given_back(locks: ModuleType, path: Path) -> None:
    push = locks.take(path, locks.Claim("a push", 60))
    assert push.token
    assert push.took_over == ""
    refused = locks.take(path, locks.Claim("a pull", 60))
    assert refused.token == ""
    assert refused.held["owner"] == "a push"
    assert 55 < refused.remains <= 61
    locks.free(path, "another's")
    assert not locks.take(path, locks.Claim("a pull", 60)).token
    locks.free(path, push.token)
    assert [file.name for file in path.parent.iterdir()] == []
    assert locks.take(path, locks.Claim("a pull", 60)).token


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"boot": "another-1"}, "the host started anew since"),
        ({"until_s": 0.0}, "its time is over"),
    ],
)
def test_what_a_dead_run_left_is_taken_over_and_that_is_said(
    locks: ModuleType, path: Path, parts: dict[str, Any], why: str
) -> None:
    dead = locks.take(path, locks.Claim("a push from far", 60))
    changed(path, **parts)
    taken = locks.take(path, locks.Claim("a pull", 60))
    assert taken.token not in ("", dead.token)
    assert taken.took_over.startswith("a push from far took it at ")
    assert taken.took_over.endswith(why)
    with pytest.raises(locks.LostError, match="a pull has it since"):
        locks.renew(path, locks.Claim("a push from far", 60), dead.token)
    locks.free(path, dead.token)
    assert path.exists()


def test_one_that_the_control_host_knows_to_be_dead_is_taken_over(locks: ModuleType, path: Path) -> None:
    dead = locks.take(path, locks.Claim("a push", 60))
    assert locks.take(path, locks.Claim("a pull", 60), dead="another's").token == ""
    assert locks.take(path, locks.Claim("a pull", 60), dead=dead.token).took_over.endswith(
        "its process ended"
    )


@pytest.mark.parametrize("said", ["", "{", "[]", '{"owner": "x"}', "null"])
def test_one_that_a_power_cut_left_without_words_is_taken_over(
    locks: ModuleType, path: Path, said: str
) -> None:
    path.parent.mkdir()
    path.write_text(said)
    taken = locks.take(path, locks.Claim("a pull", 60))
    assert taken.token
    assert taken.took_over == "it cannot be read"


def test_to_renew_it_gives_more_time_and_nothing_else(locks: ModuleType, path: Path) -> None:
    taken = locks.take(path, locks.Claim("a push", 60))
    before = json.loads(path.read_text())
    renewed = locks.renew(path, locks.Claim("a push", 600), taken.token)
    after = json.loads(path.read_text())
    assert renewed.token == taken.token
    assert after["since"] == before["since"]
    assert after["until_s"] > before["until_s"] + 500
    changed(path, boot="another-1")
    with pytest.raises(locks.LostError, match="the host started anew"):
        locks.renew(path, locks.Claim("a push", 600), taken.token)
    path.unlink()
    with pytest.raises(locks.LostError, match="somebody took it away"):
        locks.renew(path, locks.Claim("a push", 600), taken.token)


def test_the_clock_may_jump_by_years_and_the_lock_holds_as_long_as_it_said(
    locks: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = locks.take(path, locks.Claim("a push", 60))
    real = time.time()
    for jump in (-real, 10 * 365 * 86400.0):  # to 1970, and ten years ahead
        monkeypatch.setattr(locks.time, "time", lambda jump=jump: real + jump)
        assert locks.take(path, locks.Claim("a pull", 60)).held["owner"] == "a push"
    monkeypatch.setattr(locks, "since_boot", lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + 61)
    assert locks.take(path, locks.Claim("a pull", 60)).token != taken.token


def test_check_mode_takes_nothing(play: Play, path: Path) -> None:
    said = play("stack", "stack_lock", check=True, path=str(path), state="taken", owner="a check")
    assert said["token"] == ""
    assert not said["changed"]
    assert not path.parent.exists()


def test_the_lock_is_no_change(play: Play, path: Path) -> None:
    taken = play("stack", "stack_lock", path=str(path), state="taken", owner="a push")
    assert not taken["changed"]
    refused = play("stack", "stack_lock", path=str(path), state="taken", owner="a pull")
    assert refused["held"]["owner"] == "a push"
    assert not play("stack", "stack_lock", path=str(path), state="free", token=taken["token"])["changed"]
    assert not path.exists()


_RUN = """
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("stack_lock", sys.argv[1])
locks = importlib.util.module_from_spec(spec)
sys.modules["stack_lock"] = locks
spec.loader.exec_module(locks)
path, inside, met = Path(sys.argv[2]), Path(sys.argv[3]), 0
for _ in range(40):
    while not (taken := locks.take(path, locks.Claim(sys.argv[4], 60))).token:
        time.sleep(0.001)
    met += inside.exists()
    inside.touch()
    time.sleep(0.002)
    inside.unlink()
    locks.free(path, taken.token)
print(met)
"""


def test_processes_that_want_it_at_once_never_meet(path: Path, tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", _RUN, str(MODULE), str(path), str(tmp_path / "inside"), f"run {number}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    said = [run.communicate(timeout=100)[0].strip() for run in runs]
    assert said == ["0"] * 4
