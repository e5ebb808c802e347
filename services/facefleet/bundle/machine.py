"""Which machine this is, as the manifest names them."""

import platform
import re
import subprocess
from pathlib import Path

from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import Manifest

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_FIELD = re.compile(r"""^(ID|VERSION_ID)=["']?([^"'\n]*)["']?$""", re.MULTILINE)


def name(os_release: str, machine: str) -> str:
    """Return for example `debian-13-amd64`."""
    told = dict(_FIELD.findall(os_release))
    return f"{told.get('ID', 'unknown')}-{told.get('VERSION_ID', '?')}-{_MACHINES.get(machine, machine)}"


def this_one() -> str:
    """Return the name of the machine that this runs on."""
    return name(Path("/etc/os-release").read_text(), platform.machine())


def python_for(manifest: Manifest, machine: str) -> str:
    """Return the command of the Python whose wheels are in the bundle for a machine, or refuse it."""
    version = manifest.control.get(machine)
    if version is None:
        raise BundleError(
            f"this machine is {machine}, and the bundle has what a control host needs for "
            f"{', '.join(manifest.control)}: install on one of those, or make a bundle with bundle_control"
        )
    command = f"python{version}"
    try:
        subprocess.run([command, "-c", "import venv"], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise BundleError(f"this machine has no {command}: install the package {command} first") from error
    return command
