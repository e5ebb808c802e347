"""Runs programs for arm64 on this machine, in the containers of the test hosts, too.

The kernel keeps one list of foreign formats for all that shares its user namespace. With the flag F it opens
the emulator when it is told of it, so that no container needs to have one.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.fleet.hosts import image
from tests.fleet.hosts.image import MissingToolError

_FORMATS = Path("/proc/sys/fs/binfmt_misc")
_ARM64 = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
_NAME = "qemu-aarch64"


@contextlib.contextmanager
def arm64() -> Iterator[None]:
    """Let programs for arm64 run; what was registered before stays as it is."""
    mounted = (_FORMATS / "register").exists()
    if not mounted:
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_FORMATS)], check=True)
    try:
        with contextlib.nullcontext() if (_FORMATS / _NAME).exists() else _registered():
            yield
    finally:
        if not mounted:
            subprocess.run(["umount", str(_FORMATS)], check=True)


@contextlib.contextmanager
def _registered() -> Iterator[None]:
    if not _ARM64.exists():
        raise MissingToolError("qemu-aarch64-static", "qemu-user-static")
    (_FORMATS / "register").write_text(_ARM64.read_text().strip())
    try:
        yield
    finally:
        (_FORMATS / _NAME).write_text("-1")


def make_root(archive: Path) -> None:
    """Write a tar with the least of a Debian for arm64 that runs a program."""
    image.make_root(
        "trixie", archive, "--arch=arm64", "--variant=extract", "--include=base-files,coreutils,libc6"
    )
