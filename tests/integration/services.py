"""A service as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from facefleet.runtime.health import verdict

from tests.integration.waiting import await_until, free_port

SOURCE = Path(__file__).resolve().parents[2] / "services"


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Return all that a service is given: nothing of ours but PATH."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "PYTHONUNBUFFERED": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **settings,
    }


class Service:
    """Runs `python -m facefleet.<name>`; its log goes on over restarts."""

    def __init__(self, name: str, folder: Path, settings: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._log = folder / f"{name}.log"
        self._health = folder / f"{name}.json"
        self._metrics = free_port()
        self._environment = environment(
            {
                "FACEFLEET_HEALTH_FILE": str(self._health),
                "FACEFLEET_METRICS_PORT": str(self._metrics),
                **settings,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._health.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"facefleet.{self.name}"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def await_healthy(self, timeout: float = 30) -> None:
        await_until(lambda: self.problems() == [], timeout, f"{self.name} is healthy:\n{self.log()}")

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def wait(self, timeout: float = 20) -> int:
        """Return how it ended by itself."""
        assert self._process is not None
        return self._process.wait(timeout)

    @property
    def pid(self) -> int:
        """Return the number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def problems(self) -> list[str]:
        """Return what its container's health check would say."""
        return verdict(self._health, time.time())

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def lines(self, *parts: str) -> list[str]:
        """Return the lines of its log that hold all of the parts."""
        return [line for line in self.log().splitlines() if all(part in line for part in parts)]

    def metric(self, name: str) -> float:
        """Return a metric's value, summed over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return sum(float(value) for value in re.findall(rf"(?m)^{name}(?:\{{.*\}})? (\S+)$", text))

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
            raise AssertionError(f"{self.name} did not stop:\n{self.log()}") from None
