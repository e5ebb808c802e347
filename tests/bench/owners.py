"""Whose code a profile's time went to."""

import pstats
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.bench.table import say

MOST_SHOWN = 25
LEAST_SHARE = 0.002
_KERNEL = ("recv", "send", "pwrite", "pread", "fdatasync", "fsync", "poll", "stat'", "fallocate", "unlink")

Functions = dict[tuple[str, int, str], tuple[int, int, float, float, Any]]


def show(file: Path, events: int) -> None:
    """Print whose code the time goes to, and the functions that take most."""
    stats: Functions = pstats.Stats(str(file)).stats  # type: ignore[attr-defined]
    owners: dict[str, float] = defaultdict(float)
    for function, (_, _, own_s, _, _) in stats.items():
        owners[owner(function)] += own_s
    total = sum(owners.values())
    say("\nshare of processor time, by whose code it is (cProfile; calls look dearer than they are):")
    for name, seconds in sorted(owners.items(), key=lambda item: -item[1]):
        if seconds / total >= LEAST_SHARE:
            say(f"  {name:24} {seconds / total:6.1%}")
    say("\nfunctions with most time of their own:")
    dearest = sorted(stats.items(), key=lambda item: -item[1][2])[:MOST_SHOWN]
    for (path, line, name), (_, calls, own_s, _, _) in dearest:
        where = f"{'/'.join(Path(path).parts[-2:])}:{line} " if line else ""
        say(f"  {own_s / total:6.1%} {calls / events:7.2f} calls an event  {where}{name}")


def owner(function: tuple[str, int, str]) -> str:
    """Return whose code a function of a profile is."""
    file, _, name = function
    if "/paho/" in file:
        return "paho-mqtt"
    if "/facefleet/facefleet/" in file:
        return "facefleet." + file.rpartition("/facefleet/")[2].partition("/")[0]
    if file != "~":
        return "other packages" if "/opt/python/" in file else "standard library"
    return "calls into the kernel" if any(call in name for call in _KERNEL) else "built-in functions"
