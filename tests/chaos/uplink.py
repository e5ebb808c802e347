"""The link between the sites: unplugged, silent, or losing packets."""

import os
import shutil
import subprocess

from tests.chaos.workshop import Part

_CHAINS = ("INPUT", "OUTPUT")


class UplinkError(Exception):
    """A tool failed; the text is what it said."""


def missing() -> str:
    """Return why packets cannot be dropped here, empty when they can."""
    if os.geteuid():
        return "needs root to drop packets"
    absent = [tool for tool in ("iptables", "nsenter") if not shutil.which(tool)]
    return f"needs {' and '.join(absent)} (Debian: iptables util-linux)" if absent else ""


class Uplink:
    """The forwarder's way to the cloud."""

    def __init__(self, forwarder: Part, subnet: str, network: str = "wan") -> None:
        self._forwarder = forwarder
        self._subnet = subnet
        self._network = network

    def unplug(self) -> None:
        """Take the interface away, as a pulled cable does with its address."""
        self._forwarder.unplug(self._network)

    def plug(self) -> None:
        """Give it a new interface, often with another address."""
        self._forwarder.plug(self._network)

    def drop(self, share: float = 1.0) -> None:
        """Drop that share of the packets, each way; nobody is told."""
        lottery = ["-m", "statistic", "--mode", "random", "--probability", f"{share}"] if share < 1 else []
        for chain, side in zip(_CHAINS, ("-s", "-d"), strict=True):
            self._iptables("-A", chain, side, self._subnet, *lottery, "-j", "DROP")

    def dropped(self) -> int:
        """Return how many packets were dropped since `drop`."""
        listed = [self._iptables("-nvxL", chain).splitlines() for chain in _CHAINS]
        return sum(int(line.split()[0]) for lines in listed for line in lines if " DROP " in line)

    def heal(self) -> None:
        """Let all packets through."""
        for chain in _CHAINS:
            self._iptables("-F", chain)

    def _iptables(self, *words: str) -> str:
        done = subprocess.run(
            ["nsenter", "-t", str(self._forwarder.pid), "-n", "iptables", "-w", *words],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise UplinkError(f"iptables {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout
