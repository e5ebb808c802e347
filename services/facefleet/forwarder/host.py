"""The figures of the host that the forwarder runs on: room, memory, heat."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MEMORY = Path("/proc/meminfo")
HEAT = Path("/sys/class/thermal")

_LINE = re.compile(r"^(MemTotal|MemAvailable):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Host:
    """Bytes, and degrees Celsius; 0 or None where the kernel does not tell."""

    disk_free: int
    disk_total: int
    memory_free: int
    memory_total: int
    temperature: float | None


def host_of(spool: Path, memory: Path = MEMORY, heat: Path = HEAT) -> Host:
    """Look at the disk that a spool lies on, and at its machine."""
    free, total = _disk(spool)
    available, installed = _memory(memory)
    return Host(free, total, available, installed, _hottest(heat))


def _disk(folder: Path) -> tuple[int, int]:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0, 0
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


def _memory(file: Path) -> tuple[int, int]:
    try:
        said = dict(_LINE.findall(file.read_text()))
    except OSError:
        return 0, 0
    return int(said.get("MemAvailable", 0)) * 1024, int(said.get("MemTotal", 0)) * 1024


def _hottest(folder: Path) -> float | None:
    found = []
    for file in folder.glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):  # a zone that is switched off answers with an error
            found.append(int(file.read_text()) / 1000)
    return round(max(found), 1) if found else None
