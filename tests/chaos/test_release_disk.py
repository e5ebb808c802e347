"""A release that was placed and promoted is on the disk, whole, if the power goes right then."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.disk import CuttableDisk, missing

MODULES = Path(__file__).resolve().parents[2] / "roles/stack/library"
CUTS = 5
pytestmark = pytest.mark.skipif(bool(missing(CuttableDisk.TOOLS)), reason=missing(CuttableDisk.TOOLS))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[CuttableDisk]:
    made = CuttableDisk(tmp_path / "disk")
    yield made
    made.remove()


def run(module: str, **arguments: object) -> None:
    subprocess.run(
        [sys.executable, MODULES / f"{module}.py"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        text=True,
        capture_output=True,
        check=True,
    )


def test_a_release_outlives_a_cut_right_after_it_was_placed_and_promoted(disk: CuttableDisk) -> None:
    home = disk.folder("edge")
    for number in range(CUTS):
        release = home / f"releases/r{number}"
        folders = [home, home / "files", home / "releases", home / "shown", release]
        texts = {home / "coming": f"r{number}\n", home / f"files/{number}": "a" * 5000}
        texts[release / "compose.yaml"] = f"source: {home}/files/{number}\n"
        files = [{"path": str(path), "content": text, "mode": "0600"} for path, text in texts.items()]
        image = home / f"image-{number}"
        image.write_text("what an engine unpacked\n")  # and did not wait for
        run("stack_place", folders=[str(folder) for folder in folders], files=files, flush=[str(home)])
        disk.cut()
        disk.power_on()
        assert {path: path.read_text() for path in texts} == texts
        assert image.read_text() == "what an engine unpacked\n"
        run("stack_promote", home=str(home), release=f"r{number}", keep=2)
        disk.cut()
        disk.power_on()
        assert (home / "current/compose.yaml").read_text() == texts[release / "compose.yaml"]
        assert (home / "history").read_text().split()[-1] == f"r{number}"
        assert (home / "shown/release").read_text() == f"r{number}\n"
        assert not (home / "coming").exists()
