"""Whose code a profile's time went to."""

import json
from collections import defaultdict
from pathlib import Path

from tests.bench.profiled import BUILT_IN
from tests.bench.table import say

MOST_SHOWN = 25
LEAST_SHARE = 0.002
_KERNEL = ("recv", "send", "pwrit", "pread", "sync", "poll", "stat", "fallocate", "unlink", "open", "close")


def show(file: Path, events: int) -> None:
    """Print whose code the time goes to, and the functions that take most."""
    functions: list[tuple[str, int, str, int, float]] = json.loads(file.read_text())
    owners: dict[str, float] = defaultdict(float)
    for path, _, name, _, seconds in functions:
        owners[owner(path, name)] += seconds
    total = sum(owners.values())
    say("\nshare of processor time, by whose code it is (under a profiler: calls look dearer than they are):")
    for name, seconds in sorted(owners.items(), key=lambda item: -item[1]):
        if seconds / total >= LEAST_SHARE:
            say(f"  {name:24} {seconds / total:6.1%}")
    say("\nfunctions with most time of their own:")
    for path, line, name, calls, seconds in sorted(functions, key=lambda item: -item[4])[:MOST_SHOWN]:
        where = "" if path == BUILT_IN else f"{'/'.join(Path(path).parts[-2:])}:{line} "
        say(f"  {seconds / total:6.1%} {calls / events:7.2f} calls an event  {where}{name}")


def owner(path: str, name: str) -> str:
    """Return whose code a function is."""
    if path == BUILT_IN:
        return (
            "calls into the kernel" if name.rpartition(".")[2].startswith(_KERNEL) else "built-in functions"
        )
    if "/paho/" in path:
        return "paho-mqtt"
    if "/facefleet/" in path:
        return "facefleet." + path.rpartition("/facefleet/")[2].partition("/")[0]
    return "other packages" if "/opt/python/" in path or "site-packages" in path else "standard library"
