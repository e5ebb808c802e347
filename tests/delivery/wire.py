"""A host's network cable: what went over it, and how much goes."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fleet.hosts import Host


class Wire:
    """Counts at the host's own interface, with all that a frame has."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def received(self) -> int:
        """Return the bytes that came to the host since its cable was plugged in."""
        return self._count("rx_bytes")

    @property
    def sent(self) -> int:
        """Return the bytes that left it."""
        return self._count("tx_bytes")

    @contextmanager
    def throttled(self, bytes_s: int) -> Iterator[None]:
        """Let so much through in each direction."""
        shape = ["root", "tbf", "rate", f"{8 * bytes_s}bit", "burst", "32kb", "latency", "200ms"]
        far, near = self._interface(), self._near_end()
        subprocess.run(["tc", "qdisc", "replace", "dev", near, *shape], check=True)
        self._host.run("tc", "qdisc", "replace", "dev", far, *shape)
        try:
            yield
        finally:
            # A cable that was pulled meanwhile took them along.
            subprocess.run(["tc", "qdisc", "del", "dev", near, "root"], check=False, capture_output=True)
            self._host.run("tc", "qdisc", "del", "dev", far, "root", check=False)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Let nothing through, silently, as where a radio link fades."""
        rules = [[chain, "--jump", "DROP"] for chain in ("INPUT", "OUTPUT")]
        for rule in rules:
            self._host.run("iptables", "--wait", "--insert", *rule)
        try:
            yield
        finally:
            for rule in rules:
                self._host.run("iptables", "--wait", "--delete", *rule)

    def _interface(self) -> str:
        """Return the host's end: a cable that is plugged in again may get another name."""
        return self._host.run("ip", "-o", "-4", "addr", "show", "to", self._host.address).split()[1]

    def _near_end(self) -> str:
        """Return the interface of this machine that the cable leads to."""
        index = self._host.run("cat", f"/sys/class/net/{self._interface()}/iflink").strip()
        (name,) = (
            interface.name
            for interface in Path("/sys/class/net").iterdir()
            if (interface / "ifindex").read_text().strip() == index
        )
        return name

    def _count(self, what: str) -> int:
        return int(self._host.run("cat", f"/sys/class/net/{self._interface()}/statistics/{what}"))
