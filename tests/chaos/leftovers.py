"""What a campaign makes carries its name; what is found without a living campaign is taken away.

Containers, networks, volumes and images carry a label; mounts, loop devices and files lie in one folder
whose name says the same. A guard, a process of its own, takes all away even when the campaign was killed.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker import DockerClient
from docker.errors import APIError, DockerException

LABEL = "org.facefleet.chaos"
_FOLDER = "facefleet-chaos-"
_OWNER = re.compile(r"([0-9]+)-([0-9]+)")
_TRIES = 20


def myself() -> str:
    """Return the name of this process, which no other has as long as the machine runs."""
    return f"{os.getpid()}-{_born(os.getpid())}"


def folder_of(owner: str) -> Path:
    """Return the folder that all files of a campaign lie in."""
    return Path(tempfile.gettempdir()) / f"{_FOLDER}{owner}"


def alive(owner: str) -> bool:
    """Tell whether the campaign of that name still runs."""
    found = _OWNER.fullmatch(owner)
    return found is not None and _born(int(found[1])) == found[2]


def _born(pid: int) -> str:
    """Return when a process began, in ticks since boot; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state == "Z" else rest[18]


def sweep(engine: DockerClient, mine: str = "") -> list[str]:
    """Take away what campaigns that are gone left, and what belongs to `mine`. Returns what it took."""
    done = [*_sweep_engine(engine, mine), *_sweep_folders(mine)]
    return sorted(done)


def _doomed(owner: str, mine: str) -> bool:
    return owner == mine or not alive(owner)


def _sweep_engine(engine: DockerClient, mine: str) -> Iterator[str]:
    ours: dict[str, str | list[str] | bool] = {"label": LABEL}
    for container in engine.containers.list(all=True, filters=ours, ignore_removed=True):
        if _doomed(container.labels[LABEL], mine) and _gone(lambda c=container: c.remove(force=True, v=True)):
            yield f"container {container.name}"
    for network in engine.networks.list(filters=ours):
        attributes = network.attrs or {}
        if _doomed(attributes["Labels"][LABEL], mine) and _gone(network.remove):
            yield f"network {network.name}"
    for volume in engine.volumes.list(filters=ours):
        attributes = volume.attrs or {}
        if _doomed(attributes["Labels"][LABEL], mine) and _gone(lambda v=volume: v.remove(force=True)):
            yield f"volume {volume.name}"
    for image in engine.images.list(filters=ours):
        if _doomed(image.labels[LABEL], mine) and _gone(
            lambda i=image: engine.images.remove(str(i.id), force=True)
        ):
            yield f"image {image.short_id}"


def _gone(remove: object) -> bool:
    """Remove; what another sweep was quicker with is gone, too."""
    assert callable(remove)
    try:
        remove()
    except APIError as error:
        if error.status_code not in (404, 409):
            raise
        return False
    return True


def _sweep_folders(mine: str) -> Iterator[str]:
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{_FOLDER}*")):
        if not _doomed(folder.name.removeprefix(_FOLDER), mine):
            continue
        release_disks(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            yield f"folder {folder}"


def release_disks(folder: Path) -> None:
    """Unmount what is mounted below a folder and detach the loop devices of the files in it."""
    for _ in range(_TRIES):
        mounted = _mounted_below(folder)
        for target in mounted:
            subprocess.run(["umount", target], check=False, capture_output=True)
        if not mounted:
            break
        time.sleep(0.2)  # the engine lets go of a killed container's mounts a little later
    for device in loops_below(folder):
        subprocess.run(["losetup", "--detach", device], check=False, capture_output=True)


def _mounted_below(folder: Path) -> list[str]:
    """Return the mount points below a folder, the last one first."""
    targets = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [target for target in reversed(targets) if target.startswith(f"{folder}/")]


def loops_below(folder: Path) -> list[str]:
    """Return the loop devices whose files lie below a folder; one that was deleted counts."""
    found = []
    for backing in sorted(Path("/sys/block").glob("loop*/loop/backing_file"), reverse=True):
        with contextlib.suppress(OSError):
            if backing.read_text().startswith(f"{folder}/"):
                found.append(f"/dev/{backing.parts[3]}")
    return found


class Guard:
    """Sweeps when this process is gone, however it went: it waits for the end of a pipe."""

    def __init__(self, owner: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.leftovers", owner],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,  # Ctrl-C is for the campaign
        )

    def release(self) -> None:
        """Let it sweep now, and wait for it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(120)


def main() -> None:
    """Wait until the campaign closes the pipe or dies, then take its things away."""
    owner = sys.argv[1]
    sys.stdin.buffer.read()
    for _ in range(3):  # a container may be in the making
        try:
            engine = docker.from_env()
            sweep(engine, owner)
            engine.close()
        except DockerException as error:
            sys.stderr.write(f"sweeping after campaign {owner}: {error}\n")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
