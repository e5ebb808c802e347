"""Fetch the wheels that a lock file names, for another Python and another machine than this one."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

from facefleet.bundle.errors import BundleError

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# The oldest C library of a control host is Debian 12's, 2.36.
_LIBRARIES = ("2_34", "2_28", "2_27", "2_24", "2_17")
_JOINED = re.compile(r"\\\n\s*")


def for_python(lock: str, version: str) -> str:
    """Return a lock file's lines that count for a Python, without their conditions.

    pip asks these of the Python that it runs on, not of the one that it fetches for.
    """
    environment = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
    }
    kept = []
    for line in _JOINED.sub(" ", lock).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        what, *hashes = line.split("--hash=")
        requirement = Requirement(what.strip())
        if not hashes:
            raise BundleError(f"the lock file has no hash of {requirement.name}: write it anew (make locks)")
        if requirement.marker is None or requirement.marker.evaluate(environment):
            requirement.marker = None
            kept.append(" ".join([str(requirement), *(f"--hash={text.strip()}" for text in hashes)]))
    return "\n".join(kept) + "\n"


def fetch(lock: Path, version: str, machine: str, cache: Path) -> tuple[Path, bool]:
    """Return the folder with the wheels, and whether they had to be fetched."""
    wanted = for_python(lock.read_text(), version)
    key = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    folder = cache / f"{version}-{machine}-{key}"
    if folder.exists():
        return folder, False
    coming = folder.with_name(folder.name + ".coming")
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir(parents=True)
    requirements = coming / "requirements.txt"
    requirements.write_text(wanted)
    platforms = [f"--platform=manylinux_{libc}_{_MACHINES[machine]}" for libc in _LIBRARIES]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp"),
        *(f"--python-version={version}", *platforms),
        *("--dest", str(coming), "--requirement", str(requirements)),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise BundleError(
            f"the wheels for Python {version} on {machine} cannot be fetched: {done.stderr[-2000:]}"
        )
    requirements.unlink()
    coming.rename(folder)
    return folder, True
