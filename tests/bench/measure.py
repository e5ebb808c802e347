"""What a process uses, as the kernel counts it, and how fast a count grows."""

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SECTOR_BYTES = 512
LOOK_EVERY_S = 0.01
_TICKS_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used, its ended threads included."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_S


def thread_cpu_s(pid: int) -> dict[int, tuple[float, float]]:
    """Return the processor seconds (user, system) of each thread that lives, by its number."""
    used = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # ended meanwhile
            after_name = (task / "stat").read_text().rpartition(")")[2].split()
            used[int(task.name)] = int(after_name[11]) / _TICKS_S, int(after_name[12]) / _TICKS_S
    return used


def resident_mb(pid: int) -> float:
    """Return what a process has in memory now, in MB (1,000,000 bytes)."""
    return _status_kb(pid, "VmRSS") * 1024 / 1e6


def resident_most_mb(pid: int) -> float:
    """Return the most that a process ever had in memory, in MB."""
    return _status_kb(pid, "VmHWM") * 1024 / 1e6


def written_bytes(pid: int) -> int:
    """Return the bytes that a process of ours caused to be written to block devices."""
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def device_bytes(folder: Path) -> int | None:
    """Return the bytes ever written to the block device of a folder, by whomever; None when it has none."""
    device = folder.stat().st_dev
    try:
        counters = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()
    except OSError:
        return None
    return int(counters[6]) * SECTOR_BYTES


def _status_kb(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found, f"process {pid} has no {name}: it has ended"
    return int(found[1])


class TooSlowError(Exception):
    """A count did not get where it should in time; the message says how far it got."""


@dataclass
class Timeline:
    """How a count grew: (seconds on the monotonic clock, count)."""

    points: list[tuple[float, int]] = field(default_factory=list)

    def rate(self, low: float = 0.05, high: float = 0.95) -> float:
        """Return the growth a second between two parts of the way, so that neither start nor end counts."""
        first, last = self.points[0][1], self.points[-1][1]
        began = self.when(first + low * (last - first))
        ended = self.when(first + high * (last - first))
        return (high - low) * (last - first) / (ended - began) if ended > began else 0.0

    def when(self, count: float) -> float:
        """Return when the count was reached, interpolated."""
        before = self.points[0]
        for point in self.points:
            if point[1] >= count:
                if point[1] == before[1]:
                    return point[0]
                share = (count - before[1]) / (point[1] - before[1])
                return before[0] + share * (point[0] - before[0])
            before = point
        return before[0]


def watch(
    count: Callable[[], int],
    goal: int,
    timeout_s: float,
    what: str,
    look: Callable[[], None] = lambda: None,
) -> Timeline:
    """Follow a count until it reaches its goal; `look` is called at each step.

    Raises:
        TooSlowError: when it does not within the time.
    """
    timeline = Timeline()
    deadline = time.monotonic() + timeout_s
    while True:
        reached = count()
        timeline.points.append((time.monotonic(), reached))
        look()
        if reached >= goal:
            return timeline
        if time.monotonic() > deadline:
            raise TooSlowError(f"{what}: {reached} of {goal} after {timeout_s:g} s")
        time.sleep(LOOK_EVERY_S)
