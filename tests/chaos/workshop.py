"""Makes containers, networks and volumes, all hardened and labelled alike."""

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from docker import DockerClient
from docker.errors import APIError
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import LogConfig, Mount

from tests.chaos import leftovers

UID = 10001
STATE = "/var/lib/facefleet"
METRICS_PORT = 9464
ROLES = Path(__file__).resolve().parents[2] / "roles"
_CONFLICT = 409


@cache
def memory_of(stack: str, service: str) -> str:
    """Return the memory limit that a role gives a service."""
    found = re.search(
        rf"(?m)^{stack}_{service}_memory: (\S+)$", (ROLES / stack / "defaults/main.yml").read_text()
    )
    assert found, f"{stack}_{service}_memory is not in the defaults of role {stack}"
    return found[1]


@dataclass(frozen=True)
class Spec:
    """What one container is; `networks` by name, the first of them from its creation on."""

    image: str
    memory: str
    networks: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    command: Sequence[str] | None = None
    pids: int = 64


class Part:
    """One container of a stack; killing and starting it keep its state."""

    def __init__(self, name: str, container: Container, networks: Mapping[str, Network], alias: str) -> None:
        self.name = name
        self._container = container
        self._networks = networks
        self._alias = alias
        self._addresses: dict[str, str] = {}

    def start(self) -> None:
        self._container.start()
        self.look()

    def look(self) -> None:
        """Learn the addresses anew: the engine may give others at each start."""
        self._container.reload()
        found = self._container.attrs["NetworkSettings"]["Networks"]
        self._addresses = {
            short: found[network.name]["IPAddress"]
            for short, network in self._networks.items()
            if network.name in found
        }

    def kill(self) -> None:
        """End it as `kill -9` does, all its processes at once."""
        try:
            self._container.kill()
        except APIError as error:
            if error.status_code != _CONFLICT:  # it ended by itself a moment ago
                raise

    def pause(self) -> None:
        self._container.pause()

    def unpause(self) -> None:
        self._container.unpause()

    def stop(self, within: int = 10) -> None:
        self._container.stop(timeout=within)

    def remove(self) -> None:
        self._container.remove(force=True, v=True)

    def plug(self, network: str) -> None:
        self._networks[network].connect(self._container, aliases=[self._alias])
        self.look()

    def unplug(self, network: str) -> None:
        self._networks[network].disconnect(self._container)

    def address(self) -> str:
        """Return an address that this machine reaches it at."""
        return next((address for address in self._addresses.values() if address), "")

    @property
    def pid(self) -> int:
        """Return the process id of its first process; 0 when it does not run."""
        self._container.reload()
        return int(self._container.attrs["State"]["Pid"])

    @property
    def running(self) -> bool:
        self._container.reload()
        return bool(self._container.attrs["State"]["Running"])

    def log(self, lines: int = 200) -> str:
        return self._container.logs(tail=lines).decode(errors="replace")


class Workshop:
    """Makes what a campaign needs and knows whose it is."""

    def __init__(self, engine: DockerClient, owner: str, source: Path | None = None) -> None:
        self.engine = engine
        self.owner = owner
        self.folder = leftovers.folder_of(owner)
        self.networks: dict[str, Network] = {}
        self._source = source
        self._numbers = itertools.count(1)

    @property
    def labels(self) -> dict[str, str]:
        return {leftovers.LABEL: self.owner}

    def _name(self, what: str) -> str:
        return f"facefleet-chaos-{self.owner}-{next(self._numbers)}-{what}"

    def network(self, short: str) -> None:
        self.networks[short] = self.engine.networks.create(
            self._name(short), driver="bridge", labels=self.labels
        )

    def subnet(self, short: str) -> str:
        network = self.networks[short]
        network.reload()
        attributes = network.attrs or {}
        return str(attributes["IPAM"]["Config"][0]["Subnet"])

    def relabelled(self, images: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
        """Return images that hold the same and are others: what a new release of the same code is."""
        made = dict(images)
        for name in names:
            container = self.engine.containers.create(images[name], labels=self.labels)
            label = f"{leftovers.LABEL}.release={next(self._numbers)}"
            made[name] = str(container.commit(changes=f"LABEL {label}").id)
            container.remove()
        return made

    def volume(self, what: str, target: str = STATE) -> Mount:
        volume = self.engine.volumes.create(self._name(what), labels=self.labels)
        return Mount(target, volume.name, type="volume")

    def remove_volume(self, mount: Mount) -> None:
        self.engine.volumes.get(mount["Source"]).remove(force=True)

    def part(self, alias: str, spec: Spec) -> Part:
        """Make a container as the stacks' template does, not started."""
        mounts = list(spec.mounts)
        if self._source and spec.environment:  # a service of ours
            mounts.append(bound(self._source, "/opt/facefleet/facefleet", read_only=True))
        first, *others = spec.networks
        container = self.engine.containers.create(
            spec.image,
            command=list(spec.command) if spec.command else None,
            name=self._name(alias),
            labels=self.labels,
            environment=dict(spec.environment),
            mounts=mounts,
            user=f"{UID}:{UID}",
            init=True,
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit=spec.memory,
            memswap_limit=spec.memory,
            pids_limit=spec.pids,
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
            tmpfs={
                "/run/facefleet": f"uid={UID},mode=0700,size=1m",
                "/tmp": f"uid={UID},mode=0700,size=16m",
            },
            network=str(self.networks[first].name),
            networking_config={
                str(self.networks[first].name): self.engine.api.create_endpoint_config(aliases=[alias])
            },
        )
        part = Part(alias, container, self.networks, alias)
        for other in others:
            self.networks[other].connect(container, aliases=[alias])
        return part


def bound(source: Path, target: str, *, read_only: bool = False) -> Mount:
    """Return a bind mount of a file or folder of this machine."""
    return Mount(target, str(source), type="bind", read_only=read_only)


def given_away(folder: Path) -> Path:
    """Make a folder that the services' user may write to."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid():
        folder.chmod(0o777)
    else:
        os.chown(folder, UID, UID)
    return folder
