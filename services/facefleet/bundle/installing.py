"""Install a control host from a bundle, with the network off; openssl has found the signature good before.

The bundle is read once, and each part checked while it is unpacked; only when all are right, the release is
laid out, its Python packages come from the wheels, and a playbook of the release brings engine and images.
"""

import argparse
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from facefleet.bundle import machine, release, unpacking
from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import Manifest
from facefleet.bundle.progress import Progress


def main() -> None:
    """Do what the command line says, and end with a sentence if that cannot be."""
    parser = argparse.ArgumentParser(
        prog="install", description="Installs Facefleet's control host from a bundle."
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--into", type=Path, default=Path("facefleet"), help="folder of the release (./facefleet)"
    )
    parser.add_argument("--check", action="store_true", help="only read the bundle and check each part")
    chosen = parser.parse_args()
    try:
        with zipfile.ZipFile(sys.argv[0]) as own:
            manifest = Manifest.from_json(own.read("manifest.json").decode())
        if chosen.check:
            unpacking.check(chosen.bundle, manifest, Progress("Checking", manifest.size, sys.stderr))
            _say(f"{chosen.bundle.name} is whole: {len(manifest.parts)} parts, release {manifest.release}")
        else:
            _install(chosen.bundle, manifest, chosen.into.absolute())
    except BundleError as error:
        sys.exit(f"install: {error}.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"install: {error.cmd[0]} ended with {error.returncode}: see above, and run this again.")


def _install(bundle: Path, manifest: Manifest, folder: Path) -> None:
    began = time.monotonic()
    python = machine.python_for(manifest, machine.this_one())
    release.refuse_another(folder)
    parts = folder / release.PARTS
    if not unpacking.is_unpacked(manifest, parts):
        unpacking.unpack(
            bundle, manifest, parts, Progress("Checking and unpacking", manifest.size, sys.stderr)
        )
    changed = release.lay_out(parts / "release.tar.gz", folder)
    _say(f"Release {manifest.release}: {changed} files changed in {folder}")
    _make_environment(python, folder, parts / "wheels")
    _play(folder)
    _say(
        f"\nRelease {manifest.release} is installed ({time.monotonic() - began:.0f} s). Go on with\n\n"
        f"  cd {folder} && export PATH=$PWD/.venv/bin:$PATH\n"
        "  cp -r inventory/example inventory/mysite    # and say there what your site is\n"
        "  ansible-playbook -i inventory/mysite site.yml\n"
    )


def _make_environment(python: str, folder: Path, wheels: Path) -> None:
    """Make .venv as the Makefile does, without an index: what is locked, from the wheels."""
    lock, stamp = folder / "services/requirements/control.txt", folder / ".venv/.control"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    _say("Installing the control host's Python packages")
    own = folder / ".venv/bin/python"
    # Debian's ensurepip is a package of its own; pip is among the wheels and installs itself.
    _run(python, "-m", "venv", "--without-pip", "--clear", str(folder / ".venv"))
    pip = (
        str(own),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        "--no-cache-dir",
    )
    _run(
        *(*pip, "--find-links", str(wheels), "--require-hashes", "-r", str(lock)),
        PYTHONPATH=str(next(wheels.glob("pip-*.whl"))),
        PIP_CONFIG_FILE="/dev/null",
    )
    packages = next((folder / ".venv/lib").glob("python3*/site-packages"))
    (packages / "facefleet.pth").write_text(f"{folder / 'services'}\n")
    stamp.write_text(lock.read_text())


def _play(folder: Path) -> None:
    """Bring this machine's engine and the images with the release's own roles."""
    asks = os.geteuid() and subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL)  # noqa: S607
    _run(
        str(folder / ".venv/bin/ansible-playbook"),
        "playbooks/install.yml",
        *(["--ask-become-pass"] if asks else []),
        folder=folder,
    )


def _run(*command: str, folder: Path | None = None, **environment: str) -> None:
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, **environment})  # noqa: S603


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
