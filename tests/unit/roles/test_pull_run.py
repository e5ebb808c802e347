"""A puller that is broken does not keep its successor away; tests/fleet/test_far.py has it on an engine."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.unit.roles.plugins import ROLES

DAY_S = 86400
DOCKER = """#!/bin/sh
[ "$1 $2 $3 $4 $6 $7 $8 $9" = "compose --project-directory . --file run --rm -T puller" ] || exit 99
echo "$5: $(cat "$5")" >>said
exit "$(cut -d ' ' -f 1 "$5")"
"""


class Ran(NamedTuple):
    """How a run ended, and which pullers ran, as `file: content`."""

    code: int
    pullers: list[str]


class Device:
    """A folder as a device has it. A puller is its exit code and a name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "pull"
        self.folder.mkdir()
        tools = folder / "tools"
        tools.mkdir()
        (tools / "docker").write_text(DOCKER)
        (tools / "docker").chmod(0o755)
        self._path = f"{tools}:{os.environ['PATH']}"
        (self.folder / "run.sh").write_bytes((ROLES / "pull/files/run.sh").read_bytes())

    @property
    def proved(self) -> Path:
        return self.folder / "proved/compose.yaml"

    def run(self, puller: str = "") -> Ran:
        """Let the timer start it; it is another puller now, or the one that it was."""
        if puller:
            (self.folder / "compose.yaml").write_text(puller)
        said = self.folder / "said"
        said.unlink(missing_ok=True)
        done = subprocess.run(
            ["sh", str(self.folder / "run.sh")], env=os.environ | {"PATH": self._path}, check=False
        )
        return Ran(done.returncode, said.read_text().splitlines() if said.exists() else [])


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_one_that_is_broken_lets_the_one_before_it_look(device: Device) -> None:
    assert device.run("0 first").code == 0
    assert device.run("1 second") == (0, ["running/compose.yaml: 1 second", "proved/compose.yaml: 0 first"])
    assert device.run("137 third").pullers[-1] == "proved/compose.yaml: 0 first"
    assert device.proved.read_text() == "0 first"
    assert device.run("0 fourth") == (0, ["running/compose.yaml: 0 fourth"])
    assert device.proved.read_text() == "0 fourth"


@pytest.mark.parametrize("code", [3, 75])
def test_a_release_that_failed_and_what_it_waits_for_are_no_fault_of_the_puller(
    device: Device, code: int
) -> None:
    device.run("0 first")
    assert device.run(f"{code} second") == (code, [f"running/compose.yaml: {code} second"])
    assert device.proved.read_text() == "0 first"


def test_one_that_waits_for_a_day_lets_the_one_before_it_look(device: Device) -> None:
    device.run("0 first")
    long_ago = device.proved.stat().st_mtime - DAY_S - 120
    os.utime(device.proved, (long_ago, long_ago))
    assert device.run("75 second").pullers[-1] == "proved/compose.yaml: 0 first"


def test_the_same_is_not_run_twice(device: Device) -> None:
    device.run("0 first")
    device.proved.write_text("1 first")
    assert device.run("1 first") == (1, ["running/compose.yaml: 1 first"])


def test_the_first_one_has_none_before_it(device: Device) -> None:
    assert device.run("1 first") == (1, ["running/compose.yaml: 1 first"])


def test_without_room_for_a_copy_it_runs_all_the_same(device: Device) -> None:
    (device.folder / "running").write_text("no folder")
    assert device.run("0 first") == (0, ["compose.yaml: 0 first"])
