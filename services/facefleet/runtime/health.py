"""Health is a set of named conditions, kept in a file that the container's health check reads.

A condition is good for a while only: a part that hangs stops renewing it, and that shows.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

WRITE_EVERY_S = 1.0
HANGING_AFTER_S = 15.0
DEFAULT_FILE = Path("/run/facefleet/health.json")


@dataclass(frozen=True, slots=True)
class Condition:
    """What one part last said of itself, and until when (monotonic seconds) that counts."""

    ok: bool
    detail: str
    until: float


class Health:
    """Collects conditions and writes them out once a second. Safe from any thread."""

    def __init__(self, file: Path, conditions: Iterable[str]) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._conditions = {
            name: Condition(ok=False, detail="starting", until=float("inf")) for name in conditions
        }

    def good(self, name: str, detail: str = "", valid_s: float = float("inf")) -> None:
        """Say that a condition holds, for so many seconds."""
        self._set(name, Condition(ok=True, detail=detail, until=time.monotonic() + valid_s))

    def bad(self, name: str, detail: str) -> None:
        """Say that a condition does not hold, and why."""
        self._set(name, Condition(ok=False, detail=detail, until=float("inf")))

    def follow(self, name: str) -> Callable[[bool, str], None]:
        """Return a callback `(ok, detail)` that keeps one condition up to date."""

        def report(ok: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
            if ok:
                self.good(name, detail)
            else:
                self.bad(name, detail)

        return report

    def problems(self) -> list[str]:
        """Return one line for each condition that does not hold now."""
        now = time.monotonic()
        with self._lock:
            return [
                f"{name}: {condition.detail}" if not condition.ok else f"{name}: nothing new for too long"
                for name, condition in self._conditions.items()
                if not condition.ok or condition.until < now
            ]

    def write_until(self, stop: threading.Event) -> None:
        """Write the file once a second until told to stop."""
        while True:
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps({"problems": self.problems()}))
            draft.replace(self._file)
            if stop.wait(WRITE_EVERY_S):
                return

    def _set(self, name: str, condition: Condition) -> None:
        with self._lock:
            if name not in self._conditions:
                raise KeyError(name)
            self._conditions[name] = condition


def verdict(file: Path, now: float) -> list[str]:
    """Return what is wrong according to a health file; `now` is wall-clock seconds."""
    try:
        age = now - file.stat().st_mtime
        said = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        return [f"no health file yet: {error}"]
    if age > HANGING_AFTER_S:
        return [f"the service hangs: its last sign of life is {age:.0f} s old"]
    return [str(problem) for problem in said["problems"]]


if __name__ == "__main__":
    found = verdict(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_FILE, time.time())
    print("; ".join(found) or "healthy")
    sys.exit(1 if found else 0)
