"""The disks do what the faults need: one loses what was not synced, one gets full."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.disk import MIB, CuttableDisk, SmallDisk, missing
from tests.chaos.leftovers import release_disks


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    release_disks(tmp_path)


def test_a_power_cut_takes_what_was_not_synced_and_nothing_else(folder: Path) -> None:
    if obstacle := missing(CuttableDisk.TOOLS):
        pytest.skip(obstacle)
    disk = CuttableDisk(folder / "disk", 16 * MIB)
    home = disk.folder("p")
    with (home / "synced").open("wb") as synced, (home / "unsynced").open("wb") as unsynced:
        synced.write(b"x" * 5000)
        synced.flush()
        os.fsync(synced.fileno())
        unsynced.write(b"x" * 5000)
        unsynced.flush()
        disk.cut()
    (home / "later").write_text("x")
    disk.power_on()
    assert (home / "synced").read_bytes() == b"x" * 5000
    lost = home / "unsynced"
    assert not lost.exists() or lost.read_bytes() != b"x" * 5000
    assert not (home / "later").exists()
    disk.remove()
    assert list(folder.iterdir()) == []


def test_a_small_disk_gets_full_and_has_room_again(folder: Path) -> None:
    if obstacle := missing(SmallDisk.TOOLS):
        pytest.skip(obstacle)
    disk = SmallDisk(folder / "disk", 16 * MIB)
    home = disk.folder("p")
    assert disk.fill(leave=4 * MIB) > 5 * MIB
    (home / "fits").write_bytes(bytes(2 * MIB))
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        (home / "does not").write_bytes(bytes(MIB))
    disk.clear()
    (home / "fits again").write_bytes(bytes(MIB))
    disk.remove()
    assert list(folder.iterdir()) == []
