"""What the controller did, and when: a line for each step, kept for the report."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime


def _to_screen(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done to the system; `at` is UTC."""

    at: str
    fault: str
    what: str


@dataclass
class Journal:
    """Says and keeps steps. Thread-safe."""

    say: Callable[[str], None] = _to_screen
    steps: list[Step] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, fault: str, what: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock:
            self.steps.append(Step(at, fault, what))
        self.say(f'at={at} fault="{fault}" what="{what}"')

    def taken(self) -> list[dict[str, str]]:
        """Return the steps since the last call."""
        with self._lock:
            steps, self.steps = self.steps, []
        return [asdict(step) for step in steps]


def seconds_since(begun: float) -> float:
    """Return the seconds since a monotonic moment, to a tenth."""
    return round(time.monotonic() - begun, 1)
