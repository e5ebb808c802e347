"""A site that nothing gets out of: a bare control host, a cloud host and devices, and a count of what tried.

Their network is internal to the engine of this machine. Each host has a default route all the same, so that
what tries to get out becomes a packet, and a rule that drops and counts it.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.hosts import Lab
from tests.fleet.hosts.host import Host
from tests.fleet.hosts.lab import FOLDER, SUBNET

OFFICE = "office"
HOME = "/root"
_RULE = ("--out-interface", "eth0", "!", "--destination", SUBNET, "--jump", "DROP")
_COUNTED = re.compile(r"^\s*(\d+)\s+\d+\s+DROP", re.MULTILINE)
_KEY = "/root/.ssh/operator"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command on a host came to."""

    code: int
    output: str
    seconds: float

    def succeeded(self) -> "Said":
        """Return itself, or fail with what it said."""
        assert self.code == 0, self.output[-8000:]
        return self


class SealedSite:
    """The hosts, and what the operator does at the control host."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._commands = 0

    @property
    def office(self) -> Host:
        """Return the control host."""
        return self.lab[OFFICE]

    def at_office(self, command: str, timeout_s: float = 1500) -> Said:
        """Run a line of shell as the operator does; it is kept in a file what it said."""
        began = time.monotonic()
        done = subprocess.run(
            ["docker", "exec", "--workdir", HOME, str(self.office.container.id), "sh", "-c", command],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
        )
        said = Said(done.returncode, done.stdout, time.monotonic() - began)
        self._commands += 1
        (FOLDER / f"office-{self._commands:02}.log").write_text(f"{command}\n{said.output}")
        sys.stderr.write(f"\noffice: {command[:100]}: {said.seconds:.0f} s, rc {said.code}\n")
        return said

    def seal(self) -> None:
        """Give each host a way out that drops and counts, and a name server that is not there."""
        for host in self.lab.hosts.values():
            host.run("iptables", "--wait", "--table", "mangle", "--append", "POSTROUTING", *_RULE)
            host.run("ip", "route", "replace", "default", "via", self.lab.gateway)

    def tried(self) -> dict[str, int]:
        """Return how many packets each host would have sent out."""
        counts = {}
        for name, host in self.lab.hosts.items():
            told = host.run("iptables", "--wait", "--table", "mangle", "--list", "POSTROUTING", "-nvx")
            found = _COUNTED.search(told)
            assert found, told
            counts[name] = int(found[1])
        return counts

    def count_anew(self) -> None:
        """Forget what tried so far."""
        for host in self.lab.hosts.values():
            host.run("iptables", "--wait", "--table", "mangle", "--zero", "POSTROUTING")

    def leaves(self, host: str, address: str) -> bool:
        """Tell whether a host reaches an address outside."""
        code, _ = self.lab[host].container.exec_run(
            [
                "timeout",
                "3",
                "python3",
                "-c",
                f"import socket; socket.create_connection(({address!r}, 53), 2)",
            ]
        )
        return code == 0

    def give_access(self) -> None:
        """Let the control host's root log in at the others: the operator's key, and the keys of the hosts."""
        self.office.run("install", "-d", "-m", "0700", "/root/.ssh")
        for source, target in (
            (self.lab.key.private, _KEY),
            (self.lab.key.known_hosts, "/root/.ssh/known_hosts"),
        ):
            self.office.copy(source, target)
            self.office.run("chown", "root:root", target)
            self.office.run("chmod", "0600", target)

    def describe(self, folder: str) -> None:
        """Write an inventory: this control host, the cloud host with its own S3 server, and the devices."""
        devices = "".join(
            f"    {name}: {{ansible_host: {host.address}}}\n"
            for name, host in self.lab.hosts.items()
            if name not in (OFFICE, "cloud")
        )
        self.office.write(
            f"{folder}/hosts.yml",
            f"""\
control:
  hosts:
    laptop: {{ansible_connection: local, ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"}}
cloud:
  hosts:
    vault: {{ansible_host: {self.lab["cloud"].address}}}
edge:
  hosts:
{devices}  vars:
    edge_clock: trusted
    edge_cameras: [{{name: lobby, source: /srv/videos/lobby.mp4, loop: true, repeat_s: 3}}]
remote:
  children: {{cloud: , edge: }}
  vars: {{ansible_user: operator, ansible_become: true, ansible_ssh_private_key_file: {_KEY}}}
""",
        )


@contextmanager
def sealed(*devices: str, releases: dict[str, str]) -> Iterator[SealedSite]:
    """Bare hosts in a network without a way out; all of it goes at the end."""
    with Lab(OFFICE, "cloud", *devices, releases=releases, sealed=True) as lab:  # type: ignore[arg-type]
        site = SealedSite(lab)
        site.seal()
        site.give_access()
        yield site


def size_of(path: Path) -> str:
    """Return a file's size for a person."""
    return f"{path.stat().st_size / 1e6:,.0f} MB"
