"""A file system of our own, so that what is written to it is what we wrote.

What the kernel counts for a process (/proc/<pid>/io) will not do: each time that an append dirties a folio
it counts all of it, and ext4 makes large ones: for events that come one by one that is ten times too much.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZE = 2 << 30


@contextlib.contextmanager
def own_disk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Return a folder, and whether it is alone on its device, which takes root and a loop device."""
    image, mounted = folder / "disk.ext4", folder / "disk"
    mounted.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(SIZE)
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    alone = (
        os.geteuid() == 0
        and mkfs is not None
        and _succeeds(mkfs, "-q", "-F", str(image))
        and _succeeds("mount", "-o", "loop", str(image), str(mounted))
    )
    try:
        yield mounted, alone
    finally:
        if alone:
            subprocess.run(["umount", str(mounted)], check=True)
        image.unlink()


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
