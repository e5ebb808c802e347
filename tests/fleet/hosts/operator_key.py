"""The operator's key pair, and the host keys that the operator trusts."""

import shutil
import subprocess
from pathlib import Path

from tests.fleet.hosts.image import MissingToolError


class OperatorKey:
    """An ed25519 key without a passphrase in a folder that only its owner reads; made at first use."""

    def __init__(self, folder: Path) -> None:
        self.private = folder / "operator"
        self.known_hosts = folder / "known_hosts"
        self.masters = folder / "ssh"
        if not shutil.which("ssh-keygen"):
            raise MissingToolError("ssh-keygen", "openssh-client")
        self.masters.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.private.exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", str(self.private)],
                check=True,
            )

    @property
    def public(self) -> str:
        """Return the line for authorized_keys."""
        return self.private.with_suffix(".pub").read_text().strip()

    def trust(self, host_keys: dict[str, list[str]]) -> None:
        """Write the host keys by address, in place of all that were trusted before."""
        lines = [f"{address} {key}" for address, keys in sorted(host_keys.items()) for key in keys]
        self.known_hosts.write_text("\n".join([*lines, ""]))

    def ssh(self, address: str, *command: str) -> list[str]:
        """Return the command line that runs a command as the operator."""
        options = (
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self.known_hosts}",
        )
        return [
            "ssh",
            "-F",
            "none",
            *(word for option in (*options, "ConnectTimeout=5") for word in ("-o", option)),
            "-i",
            str(self.private),
            f"operator@{address}",
            *command,
        ]

    def hang_up(self) -> None:
        """End the connections that Ansible left open: a host that comes back does not know them."""
        for socket in self.masters.iterdir():
            subprocess.run(
                ["ssh", "-F", "none", "-S", str(socket), "-O", "exit", "nobody"],
                check=False,
                capture_output=True,
            )
            socket.unlink(missing_ok=True)
