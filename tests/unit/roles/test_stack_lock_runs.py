"""Real runs of Ansible that want the same host at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]
WITHIN_S = 60


class Runs:
    """Runs on one host, this machine, each with an owner's name."""

    def __init__(self, root: Path) -> None:
        self.lock = root / "lock"
        self._root = root
        self.started: list[subprocess.Popen[str]] = []

    def start(self, owner: str, change: str, wait_s: int = WITHIN_S) -> "subprocess.Popen[str]":
        words = {
            "stack_root": str(self._root),
            "stack_lock_owner": owner,
            "stack_lock_wait_s": wait_s,
            "change": change,
            "ansible_python_interpreter": sys.executable,
        }
        run = subprocess.Popen(
            [REPO / ".venv/bin/ansible-playbook", "-i", "host,", "-c", "local", "-e", json.dumps(words),
             "tests/unit/roles/locked.yml"],
            cwd=REPO,
            env={**os.environ, "ANSIBLE_CACHE_PLUGIN": "memory"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )  # fmt: skip
        self.started.append(run)
        return run

    def await_lock(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not self.lock.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    found = Runs(tmp_path / "facefleet")
    yield found
    for run in found.started:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def said(run: "subprocess.Popen[str]") -> str:
    """Wait for the end of a run; return what it said, on one line."""
    return " ".join(run.communicate(timeout=WITHIN_S)[0].split())


def test_two_runs_at_once_never_meet(runs: Runs, tmp_path: Path) -> None:
    alone = f"sh -c 'mkdir {tmp_path}/inside && sleep 1 && rmdir {tmp_path}/inside'"
    both = [runs.start(owner, alone) for owner in ("a push", "a pull")]
    for run in both:
        text = said(run)
        assert run.returncode == 0, text
    assert not runs.lock.exists()


def test_one_that_waited_long_enough_fails_and_names_who_has_it(runs: Runs) -> None:
    push = runs.start("a push of anna", "sleep 100")
    runs.await_lock()
    pull = runs.start("a pull", "true", wait_s=1)
    text = said(pull)
    assert pull.returncode == 2
    assert "host is being changed by a push of anna, since 20" in text
    assert f"sudo rm {runs.lock}" in text
    assert json.loads(runs.lock.read_text())["owner"] == "a push of anna"
    assert push.poll() is None


def test_a_run_of_this_machine_that_died_keeps_nobody_waiting(runs: Runs) -> None:
    push = runs.start("a push of anna", "sleep 100")
    runs.await_lock()
    os.killpg(push.pid, signal.SIGKILL)
    push.wait()
    pull = runs.start("a pull", "true", wait_s=0)
    text = said(pull)
    assert pull.returncode == 0, text
    assert "was taken over: a push of anna took it at 20" in text
    assert "its process ended" in text
    assert not runs.lock.exists()


def test_it_is_given_back_when_the_change_fails(runs: Runs) -> None:
    push = runs.start("a push", "false")
    said(push)
    assert push.returncode == 2
    assert not runs.lock.exists()
