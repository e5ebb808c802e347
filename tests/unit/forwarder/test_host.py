"""The figures of the host, as the kernel tells them."""

import shutil
from pathlib import Path

import pytest
from facefleet.forwarder.host import host_of

MEMINFO = "MemTotal:        3964892 kB\nMemFree:          189224 kB\nMemAvailable:    1264892 kB\n"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    file = tmp_path / "meminfo"
    file.write_text(MEMINFO)
    return file


def zone(folder: Path, number: int, said: str) -> None:
    file = folder / f"thermal_zone{number}/temp"
    file.parent.mkdir(parents=True)
    file.write_text(said)


def test_this_machine_has_figures(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    assert host.disk_total == shutil.disk_usage(tmp_path).total
    assert 0 < host.disk_free <= host.disk_total
    assert 0 < host.memory_free < host.memory_total


def test_memory_is_what_programs_can_have(tmp_path: Path, memory: Path) -> None:
    host = host_of(tmp_path, memory)
    assert (host.memory_free, host.memory_total) == (1264892 * 1024, 3964892 * 1024)


def test_the_hottest_zone_counts_and_one_that_is_off_does_not(tmp_path: Path) -> None:
    for number, said in enumerate(["48500\n", "61250\n", "", "n/a\n", "-5000\n"]):
        zone(tmp_path, number, said)
    assert host_of(tmp_path, heat=tmp_path).temperature == 61.2


def test_without_any_of_it_nothing_is_made_up(tmp_path: Path) -> None:
    host = host_of(tmp_path / "none", tmp_path / "none", tmp_path / "none")
    assert host.temperature is None
    assert (host.disk_free, host.disk_total, host.memory_free, host.memory_total) == (0, 0, 0, 0)
