"""Mosquitto brokers of the project's image on the host's own network: no proxy of Docker's stands between."""

import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from docker import DockerClient

from tests.bench import wire
from tests.integration.containers import BROKER_CONF, written
from tests.integration.waiting import await_until, free_port

NO_LIMIT = 0
MOSQUITTO_DEFAULT = 20
CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages {in_flight}
max_packet_size 33554432
set_tcp_nodelay true
persistence {persistence}
persistence_location /var/lib/facefleet/
autosave_interval 0
log_dest stdout
log_type error
log_type warning
connection_messages false
"""
BRIDGE = """\
connection cloud
address 127.0.0.1:{port}
topic # out 1
bridge_protocol_version mqttv50
cleansession false
notifications false
try_private false
restart_timeout 1
keepalive_interval 60
"""


def shipped_in_flight() -> int:
    """Return `max_inflight_messages` as the stacks' brokers have it."""
    found = re.search(r"^max_inflight_messages (\d+)", BROKER_CONF.read_text(), re.MULTILINE)
    assert found
    return int(found[1])


class BenchBroker:
    """A Mosquitto on a port of the loopback that it keeps over restarts.

    Nothing is saved while it runs, which is as fast as Mosquitto can be. One that `keeps` saves its sessions
    at a clean stop.
    """

    def __init__(
        self,
        engine: DockerClient,
        image: str,
        folder: Path,
        *,
        in_flight: int,
        keeps: bool = False,
        bridge_to: int | None = None,
    ) -> None:
        self.port = free_port()
        config = CONFIG.format(port=self.port, in_flight=in_flight, persistence="true" if keeps else "false")
        if bridge_to:
            config += BRIDGE.format(port=bridge_to)
        files = written(folder, {"/etc/mosquitto/mosquitto.conf": config})
        self.name = f"facefleet-bench-broker-{os.getpid()}-{secrets.token_hex(3)}"
        self._container = engine.containers.create(
            image,
            name=self.name,
            network_mode="host",
            volumes=["/var/lib/facefleet"] + [f"{source}:{target}:ro" for target, source in files.items()],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._container.remove(force=True, v=True)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._container.remove(force=True, v=True)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The broker's process as this host sees it."""
        self._container.reload()
        pid: int = self._container.attrs["State"]["Pid"]
        return pid

    def start(self) -> None:
        self._container.start()
        await_until(self._answers, 20, f"{self.name} answers")

    def start_soon(self) -> None:
        """Start, and leave it to others to find out that it answers."""
        self._container.start()

    def stop(self) -> None:
        self._container.stop(timeout=30)

    def log(self) -> str:
        return self._container.logs().decode(errors="replace")

    def round_trip_s(self, port: int | None = None) -> float:
        """Return how long a ping takes, on the way through a port."""
        with wire.Connection(port or self.port, "bench-ping") as connection:
            took = []
            for _ in range(5):
                began = time.monotonic()
                connection.socket.sendall(wire.PINGREQ)
                connection.receive()
                took.append(time.monotonic() - began)
        return min(took)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, wire.WireError), wire.Connection(self.port, "bench-probe"):
            return True
        return False
