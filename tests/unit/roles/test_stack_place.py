"""Folders and files of a release are placed in one go, and a second time changes nothing."""

import getpass
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.conftest import Play

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is root's")


def asked(folder: Path, content: str = "listener 1883\n") -> dict[str, Any]:
    """Two folders, one in the other, and a file in the inner one."""
    file = {"path": str(folder / "a/b/f"), "content": content, "mode": "0400", "owner": getpass.getuser()}
    return {"folders": [str(folder / "a"), str(folder / "a/b")], "files": [file]}


def test_what_is_missing_or_another_is_written_and_told(tmp_path: Path, play: Play) -> None:
    everything = [str(tmp_path / path) for path in ("a", "a/b", "a/b/f")]
    assert play("stack", "stack_place", **asked(tmp_path))["written"] == everything
    file = tmp_path / "a/b/f"
    assert file.read_text() == "listener 1883\n"
    assert file.stat().st_mode & 0o777 == 0o400
    assert not play("stack", "stack_place", **asked(tmp_path))["changed"]
    assert [path.name for path in file.parent.iterdir()] == ["f"]
    file.chmod(0o644)
    assert play("stack", "stack_place", **asked(tmp_path))["written"] == everything[2:]
    assert file.stat().st_mode & 0o777 == 0o400
    (tmp_path / "a").chmod(0o700)
    assert play("stack", "stack_place", **asked(tmp_path))["written"] == everything[:1]


def test_check_mode_tells_the_same_and_shows_the_difference(tmp_path: Path, play: Play) -> None:
    said = play("stack", "stack_place", check=True, **asked(tmp_path))
    assert said["written"] == [str(tmp_path / path) for path in ("a", "a/b", "a/b/f")]
    assert not (tmp_path / "a").exists()
    play("stack", "stack_place", **asked(tmp_path))
    said = play("stack", "stack_place", check=True, **asked(tmp_path, "listener 8883\n"))
    assert said["written"] == [str(tmp_path / "a/b/f")]
    (diff,) = said["diff"]
    assert (diff["before"], diff["after"]) == ("listener 1883\n", "listener 8883\n")
    assert (tmp_path / "a/b/f").read_text() == "listener 1883\n"
