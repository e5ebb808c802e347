"""A service as it is shipped: in its image, with that Python and those packages, and the code of this tree.

On the host's own network, like the brokers. A Python that was built without optimisations, as on many hosts,
would say more of itself than of the service.
"""

import contextlib
import os
import re
import secrets
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from docker import DockerClient
from facefleet.runtime.health import verdict

from tests.integration.waiting import await_until, free_port

SOURCE = Path(__file__).resolve().parents[2] / "services" / "facefleet"


class Shipped:
    """Runs `python3 -m facefleet.<name>`. It sees the given folders under their own names."""

    def __init__(
        self,
        engine: DockerClient,
        image: str,
        name: str,
        folders: Sequence[Path],
        settings: dict[str, str],
        *,
        command: Sequence[str] = (),
        also: Sequence[Path] = (),
    ) -> None:
        """Prepare it; the first folder takes its health file. `also` is what it may read."""
        self.name = name
        self._health = folders[0] / f"{name}.json"
        self._metrics = free_port()
        writable = [f"{folder}:{folder}" for folder in folders]
        readable = [f"{path}:{path}:ro" for path in also]
        self._container = engine.containers.create(
            image,
            [*command] or ["python3", "-m", f"facefleet.{name}"],
            name=f"facefleet-bench-{name}-{os.getpid()}-{secrets.token_hex(3)}",
            network_mode="host",
            user=f"{os.getuid()}:{os.getgid()}",
            volumes=[*writable, *readable, f"{SOURCE}:/opt/facefleet/facefleet:ro"],
            environment={
                "AWS_EC2_METADATA_DISABLED": "true",
                "FACEFLEET_HEALTH_FILE": str(self._health),
                "FACEFLEET_METRICS_PORT": str(self._metrics),
                **settings,
            },
            read_only=True,
            tmpfs={"/tmp": "size=16m,mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
        )

    def __enter__(self) -> Self:
        try:
            self._container.start()
            await_until(lambda: verdict(self._health, time.time()) == [], 30, f"{self.name} is healthy")
        except BaseException as error:
            error.add_note(self.log())
            self._container.remove(force=True, v=True)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._container.stop(timeout=20)
        self._container.remove(force=True, v=True)

    @property
    def pid(self) -> int:
        """Its process as this host sees it."""
        self._container.reload()
        pid: int = self._container.attrs["State"]["Pid"]
        return pid

    def count(self, name: str) -> int:
        """Return a metric, summed over its labels; 0 before the service answers."""
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=5) as answer:
                text = answer.read().decode()
            return int(sum(map(float, re.findall(rf"(?m)^{name}(?:\{{.*\}})? (\S+)$", text))))
        return 0

    def log(self) -> str:
        return self._container.logs().decode(errors="replace")
