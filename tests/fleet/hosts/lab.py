"""A network of test hosts on this machine's engine; nothing of it is left when it is closed."""

import contextlib
import ipaddress
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
from docker import DockerClient
from docker.errors import NotFound
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from tests.chaos import leftovers
from tests.fleet.hosts import image
from tests.fleet.hosts.host import Host
from tests.fleet.hosts.operator_key import OperatorKey

REPO = Path(__file__).resolve().parents[3]
FOLDER = REPO / ".cache/fleet"
LABEL = "org.facefleet.lab"
OWNER = "org.facefleet.lab.owner"
NUMBER = int(os.environ.get("FACEFLEET_LAB", "0"))
"""Several clones of this repository may each have a lab at once: 0 to 8. inventory/lab reads it too."""
NAME = f"facefleet-lab-{NUMBER}"
SUBNET = f"172.31.{250 - NUMBER}.0/24"
PERSON = "a person"
NOWHERE = "192.0.2.1"
"""An address that nobody has."""
_DEVICE = re.compile(r"jetson-([0-9]{2})")
_NUMBERS = {"office": 9, "cloud": 10}


class LabInUseError(RuntimeError):
    """A lab of that name is up already, and not from a run that died."""


class Lab:
    """Hosts by name: `office` at .9, `cloud` at .10, `jetson-01` to -99 from .11 on; a context manager."""

    def __init__(
        self,
        *names: str,
        releases: Mapping[str, image.Release] | None = None,
        baked: bool = False,
        name: str = NAME,
        subnet: str = SUBNET,
        folder: Path = FOLDER,
        sealed: bool = False,
    ) -> None:
        """Say which hosts; `releases` has those that are not trixie. Two labs need two names and subnets.

        Nothing of a sealed one gets out of its network.
        """
        self.name = name
        self.names = names
        self.hosts: dict[str, Host] = {}
        self._releases = releases or {}
        self._baked = baked
        self._sealed = sealed
        self._subnet = ipaddress.ip_network(subnet)
        self._addresses = {host: str(self._subnet[_number(host)]) for host in names}
        self._folder = folder
        self.gateway = str(self._subnet[1])
        """This machine, as the hosts see it."""

    def __enter__(self) -> Self:
        # Before the guard, which would take the other one away.
        self._refuse_a_second(docker.from_env(timeout=300), leftovers.myself())
        guard = _Guard(self.name)
        try:
            self.up(leftovers.myself())
        except BaseException:
            guard.release()
            raise
        self._guard = guard
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.key.hang_up()
        self._guard.release()

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def up(self, owner: str) -> None:
        """Start the hosts and trust their keys. `owner` is the process that they belong to, or PERSON."""
        self.key = OperatorKey(self._folder)
        engine = docker.from_env(timeout=300)
        self._refuse_a_second(engine, owner)
        down(self.name, engine)
        self.key.hang_up()
        self._forget_facts()
        labels = {LABEL: self.name, OWNER: owner}
        network = self._make_network(engine, labels)
        for name in self.names:
            self.hosts[name] = self._make_host(engine, network, name, labels)
        for host in self.hosts.values():
            host.await_keys()
        self.key.trust({host.address: host.host_keys() for host in self.hosts.values()})
        for host in self.hosts.values():
            host.await_login()

    def _forget_facts(self) -> None:
        """Make Ansible look at the hosts afresh: those of the same names that were here before are gone."""
        for name in self.names:
            for facts in (REPO / ".cache/facts").glob(f"*_{name}"):
                facts.unlink()

    def _refuse_a_second(self, engine: DockerClient, for_whom: str) -> None:
        for container in engine.containers.list(all=True, filters={"label": f"{LABEL}={self.name}"}):
            owner = container.labels[OWNER]
            if owner != for_whom and (owner == PERSON or leftovers.alive(owner)):
                raise LabInUseError(
                    f"the lab {self.name} is up for {owner}; `python -m tests.fleet.hosts down` removes it"
                )

    def _make_network(self, engine: DockerClient, labels: dict[str, str]) -> Network:
        pool = IPAMPool(subnet=str(self._subnet), gateway=self.gateway)
        return engine.networks.create(
            self.name,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[pool]),
            labels=labels,
            internal=self._sealed,
        )

    def _make_host(self, engine: DockerClient, network: Network, name: str, labels: dict[str, str]) -> Host:
        made = image.find_or_make(engine, self._releases.get(name, "trixie"), baked=self._baked)
        disk = engine.volumes.create(f"{self.name}-{name}", labels=labels)
        options = {
            "name": f"{self.name}-{name}",
            "hostname": name,
            "network": network.name,
            "ip": self._addresses[name],
            "env": f"OPERATOR_KEY={self.key.public}",
            "stop-signal": "SIGRTMIN+3",
            "cgroupns": "private",
            "device-cgroup-rule": "a *:* rwm",
            "cap-add": "ALL",
        }
        command = [
            *(f"--{option}={value}" for option, value in options.items()),
            *(f"--label={label}={value}" for label, value in labels.items()),
            # The clock is this machine's; and the engine here may lack what the other one allows.
            *(f"--cap-drop={capability}" for capability in ("SYS_TIME", "SYS_RESOURCE")),
            *(f"--security-opt={part}=unconfined" for part in ("seccomp", "apparmor", "systempaths")),
            *(f"--tmpfs={mount}" for mount in ("/run:exec,mode=755", "/run/lock", "/tmp:exec,mode=1777")),
            f"--volume={disk.name}:/var/lib/docker",
            f"--volume={self._name_servers()}:/etc/resolv.conf:ro",
            made,
        ]
        # The client, not its library: that has no word for systempaths.
        created = subprocess.run(["docker", "create", *command], check=False, capture_output=True, text=True)
        if created.returncode:
            raise RuntimeError(f"{name} cannot be created: {created.stderr}")
        container = engine.containers.get(created.stdout.strip())
        container.start()
        return Host(name, self._addresses[name], container, network, self.key)

    def _name_servers(self) -> Path:
        """Return a resolv.conf that also holds inside nested containers, which the engine's own does not."""
        kept = self._folder / "resolv.conf"
        if self._sealed:
            kept.write_text(f"nameserver {NOWHERE}\n")
            return kept
        told = Path("/run/systemd/resolve/resolv.conf")
        lines = (told if told.exists() else Path("/etc/resolv.conf")).read_text().splitlines()
        kept.write_text("\n".join([*(line for line in lines if line.startswith("nameserver")), ""]))
        return kept


def _number(host: str) -> int:
    """Return the last part of a host's address."""
    if host in _NUMBERS:
        return _NUMBERS[host]
    found = _DEVICE.fullmatch(host)
    if not found or not int(found[1]):
        raise ValueError(f"a test host is called office, cloud or jetson-01 to jetson-99, not {host!r}")
    return _NUMBERS["cloud"] + int(found[1])


def down(name: str, engine: DockerClient) -> None:
    """Remove the hosts, their disks and the network of a lab, whoever made them."""
    ours: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={name}"}
    for container in engine.containers.list(all=True, filters=ours, ignore_removed=True):
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)
    for volume in engine.volumes.list(filters=ours):
        with contextlib.suppress(NotFound):
            volume.remove(force=True)
    for network in engine.networks.list(filters=ours):
        with contextlib.suppress(NotFound):
            network.remove()


class _Guard:
    """Takes the lab away when this process is gone, however it went: it waits for the end of a pipe."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fleet.hosts", "guard", name],
            stdin=subprocess.PIPE,
            cwd=REPO,
            start_new_session=True,  # Ctrl-C is for the tests
        )

    def release(self) -> None:
        """Let it begin now, and wait until it is done."""
        assert self._process.stdin
        self._process.stdin.close()
        if self._process.wait(180):
            raise RuntimeError("the lab could not be taken away: see above")
