"""The image of a test host: a Debian as a cloud image has it, made from packages by mmdebstrap.

Nothing is pulled. An image is made once for each set of inputs and stays in the engine.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from docker import DockerClient
from docker.errors import APIError, ImageNotFound

Release = Literal["bookworm", "trixie"]
RELEASES: tuple[Release, ...] = get_args(Release)

REPOSITORY = "facefleet-test-host"
ROOT = Path(__file__).parent / "root"
_BARE = (
    "systemd-sysv,dbus,libpam-systemd,openssh-server,python3,sudo,iproute2,iptables,ca-certificates,"
    "procps,kmod"
)
_BAKED = {
    "bookworm": "docker.io,python3-requests",
    "trixie": "docker.io,docker-cli,docker-compose,docker-buildx,python3-requests",
}
_PASSED_ON = re.compile(r"Acquire::(Check-|ForceIPv|Retries|https?::(Proxy|Timeout))")
_CONFLICT = 409
_SCRATCH = "/var/tmp"
"""Not /tmp: apt's own user must get in, which there it may not."""


class MissingToolError(RuntimeError):
    """A program that test hosts need is not on this machine."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(f"{program} is not on this machine: apt-get install {package}")


def find_or_make(engine: DockerClient, release: Release, *, baked: bool = False) -> str:
    """Return the image's name. `baked` has the engine's packages installed, to save half a minute a host."""
    packages = f"{_BARE},{_BAKED[release]}" if baked else _BARE
    recipe = [release, packages, *_apt_settings(), *_sources(release)]
    kind = f"{release}-baked" if baked else release
    image = f"{REPOSITORY}:{kind}-{_digest(recipe)}"
    try:
        engine.images.get(image)
    except ImageNotFound:
        _make(engine, image, release, packages)
        _forget_older(engine, image, kind)
    return image


def _digest(recipe: list[str]) -> str:
    """Return a digest of all that decides what is in the image, apart from when it was made."""
    digest = hashlib.sha256("\0".join(recipe).encode())
    for file in sorted(ROOT.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _apt_settings() -> Iterator[str]:
    """Yield how apt reaches its mirrors from this machine; a test host is behind the same network."""
    if not shutil.which("apt-config"):
        raise MissingToolError("apt-config", "apt (test hosts are made on Debian or a relative)")
    dump = subprocess.run(
        ["apt-config", "dump", "Acquire"], check=True, capture_output=True, text=True
    ).stdout
    yield from (line for line in dump.splitlines() if _PASSED_ON.match(line) and not line.endswith('"";'))


def _sources(release: Release) -> list[str]:
    """Return the sources that apt uses here, for another release; empty where it uses none of Debian."""
    asked = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(LABEL) $(REPO_URI)",
            "Created-By: Packages",
            "Component: main",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    known = dict(line.rsplit(" ", 1) for line in asked.stdout.splitlines())
    if not {"Debian", "Debian-Security"} <= known.keys():
        return []
    return [
        f"deb {known['Debian']} {release} main",
        f"deb {known['Debian']} {release}-updates main",
        f"deb {known['Debian-Security']} {release}-security main",
    ]


def _make(engine: DockerClient, image: str, release: Release, packages: str) -> None:
    with tempfile.TemporaryDirectory(dir=_SCRATCH, prefix="facefleet-host-") as folder:
        archive = Path(folder, "root.tar")
        options = ("--variant=minbase", f"--include={packages}", f"--customize-hook={ROOT}/finish")
        make_root(release, archive, *options)
        name, tag = image.split(":")
        engine.api.import_image(src=str(archive), repository=name, tag=tag, changes=['ENTRYPOINT ["/start"]'])


def make_root(release: Release, archive: Path, *options: str) -> None:
    """Write a tar with a Debian made of packages, out of the mirrors that apt uses here."""
    if not shutil.which("mmdebstrap"):
        raise MissingToolError("mmdebstrap", "mmdebstrap")
    settings = (f"--aptopt={line}" for line in _apt_settings())
    made = subprocess.run(
        ["mmdebstrap", *options, *settings, release, str(archive), *_sources(release)],
        env=os.environ | {"TMPDIR": _SCRATCH},
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise RuntimeError(f"mmdebstrap cannot make a {release}:\n{made.stderr[-4000:]}")


def _forget_older(engine: DockerClient, image: str, kind: str) -> None:
    """Remove what earlier inputs made, unless a host still runs on it."""
    older = re.compile(rf"{REPOSITORY}:{kind}-[0-9a-f]{{12}}")
    for tag in (tag for found in engine.images.list(REPOSITORY) for tag in found.tags):
        if older.fullmatch(tag) and tag != image:
            try:
                engine.images.remove(tag)
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
