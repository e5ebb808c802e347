"""This machine as an operator sees it: make, ansible-playbook, docker."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
STACKS = Path("/opt/facefleet")
PLAYBOOK = REPO / ".venv/bin/ansible-playbook"
_SUDO = [] if os.geteuid() == 0 else ["sudo"]


def run(*command: str, timeout_s: float = 900, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository and return what it said, errors included."""
    done = subprocess.run(
        command,
        cwd=REPO,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done


def play(*arguments: str, check: bool = True, inventory: str = "inventory/demo") -> str:
    """Run a playbook on the demo's inventory and return its output."""
    return run(str(PLAYBOOK), "-i", inventory, *arguments, check=check).stdout


def changed_count(output: str) -> int:
    """Return what the recap says of the host `demo`."""
    recap = re.search(r"^demo\s*:.*changed=(\d+)", output, re.MULTILINE)
    assert recap, output[-3000:]
    return int(recap[1])


def docker(*arguments: str) -> str:
    """Run the docker client and return its output."""
    return run(*_SUDO, "docker", *arguments).stdout


def read(path: str) -> str:
    """Return what a file of the system says."""
    return run(*_SUDO, "cat", path).stdout


def has_docker() -> bool:
    """Tell whether there is a client and an engine that answers."""
    return bool(shutil.which("docker")) and not run(*_SUDO, "docker", "version", check=False).returncode


def compose(stack: str, *arguments: str) -> str:
    """Run docker compose in a stack's folder, as the README tells."""
    return docker("compose", "--project-directory", str(STACKS / stack), *arguments)


def said(topic: str) -> dict[str, Any]:
    """Return what is retained on a topic of the edge broker."""
    heard = compose("edge", "exec", "-T", "broker", "mosquitto_sub", "-t", topic, "-C", "1", "-W", "10")
    status: dict[str, Any] = json.loads(heard)
    return status


def kill(container: dict[str, Any]) -> None:
    """End a container's first process as a crash would; the engine does not know that it was us."""
    run(*_SUDO, "kill", "-9", str(container["State"]["Pid"]))


def containers() -> list[dict[str, Any]]:
    """Return what the engine knows of the project's containers."""
    ids = docker("ps", "-aq", "--filter", "label=com.docker.compose.project").split()
    found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
    return [
        container
        for container in found
        if container["Config"]["Labels"]["com.docker.compose.project"].startswith("facefleet-")
    ]


def container_ids() -> dict[str, str]:
    """Return name to id."""
    return {container["Name"].strip("/"): container["Id"] for container in containers()}


def listed(what: Sequence[str]) -> list[str]:
    """Return the names that `docker <what> --format ...` lists and that are the project's."""
    return [name for name in docker(*what).split() if "facefleet" in name and "facefleet-test" not in name]
