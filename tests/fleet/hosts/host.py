"""One test host, seen from outside: its power button, its cable, its ports, and a root shell for checks."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from docker.models.containers import Container
from docker.models.networks import Network

from tests.fleet.hosts.operator_key import OperatorKey

EVERY_PORT = range(1, 65536)
_AT_ONCE = 400
_ANSWER_S = 1.0
_BOOT_S = 60.0


class Host:
    """A bare Debian with systemd and sshd; its disk outlives `kill` and `stop`, like a machine's."""

    def __init__(
        self, name: str, address: str, container: Container, network: Network, key: OperatorKey
    ) -> None:
        self.name = name
        self.address = address
        self.container = container
        self._network = network
        self._key = key

    def start(self) -> None:
        """Switch it on and wait until the operator can log in."""
        self.container.start()
        self._key.hang_up()
        self.await_login()

    def stop(self) -> None:
        """Shut it down in good order."""
        self.container.stop(timeout=30)

    def kill(self) -> None:
        """Cut its power: everything on it ends at once."""
        self.container.kill()

    def unplug(self) -> None:
        """Pull its network cable; what runs on it goes on."""
        self._network.disconnect(self.container)

    def plug(self) -> None:
        """Put the cable back, with the same address."""
        self._network.connect(self.container, ipv4_address=self.address)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command on it as root, without the network, and return what it said."""
        code, output = self.container.exec_run(list(command))
        assert isinstance(output, bytes)
        text = output.decode(errors="replace")
        if check and code:
            raise AssertionError(f"{self.name}: {' '.join(command)} ended with {code}:\n{text[-4000:]}")
        return text

    def write(self, path: str, text: str) -> None:
        """Write a file on it, as root; the folder is made."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"', "sh", path, text)

    def copy(self, source: Path, target: str) -> None:
        """Copy a file to it, without the network."""
        subprocess.run(["docker", "cp", "--quiet", str(source), f"{self.container.id}:{target}"], check=True)

    def ssh(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the operator, over ssh."""
        return subprocess.run(
            self._key.ssh(self.address, *command), check=False, capture_output=True, text=True, timeout=60
        )

    def host_keys(self) -> list[str]:
        """Return its public ssh keys, read from its disk: nothing on the network can forge them."""
        lines = self.run("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub").splitlines()
        return [" ".join(line.split()[:2]) for line in lines]

    def await_keys(self) -> None:
        """Wait until it has made its ssh keys, which it does before systemd takes over."""
        self._await(
            lambda: self.run("cat", "/proc/1/comm").strip() == "systemd", "does not get as far as systemd"
        )

    def await_login(self) -> None:
        """Wait until the operator can log in and all that boot starts is there."""
        self._await(lambda: not self.ssh("true").returncode, "lets nobody in")
        self.run("systemctl", "is-system-running", "--wait", check=False)  # fails if a single unit did

    def _await(self, condition: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _BOOT_S
        while not condition():
            if time.monotonic() > deadline:
                log = self.container.logs(tail=40).decode(errors="replace")
                raise TimeoutError(f"{self.name} {otherwise}. Its first process said: {log}")
            time.sleep(0.2)

    def reach(self, ports: Iterable[int] = EVERY_PORT) -> list[int]:
        """Return those of the TCP ports that answer from this machine; all 65535 of them take a while."""
        return asyncio.run(_answering(self.address, ports))

    def await_ports(self, ports: Iterable[int]) -> None:
        """Wait until all of these answer, as after a start."""
        wanted = list(ports)
        self._await(lambda: self.reach(wanted) == wanted, f"does not answer at {wanted}")

    def dnat(self, port_of_call: str, to: str) -> None:
        """Lead what it and its containers send to one `address:port` to another, until it is restarted."""
        address, port = port_of_call.split(":")
        for chain in ("PREROUTING", "OUTPUT"):
            self.run(
                *("iptables", "--wait", "--table", "nat", "--insert", chain, "--destination", address),
                *("--protocol", "tcp", "--dport", port, "--jump", "DNAT", "--to-destination", to),
            )


async def _answering(address: str, ports: Iterable[int]) -> list[int]:
    left = iter(ports)
    found: list[int] = []

    # Not a task a port: the clock of the first would run while the others are made.
    async def ask() -> None:
        for port in left:
            with contextlib.suppress(OSError, TimeoutError):
                _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), _ANSWER_S)
                found.append(port)
                writer.close()

    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    return sorted(found)
