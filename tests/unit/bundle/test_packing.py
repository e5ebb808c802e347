"""What is signed is checked by openssl as the documentation says; a bundle that is there already stays."""

import dataclasses
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from facefleet.bundle import packing
from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import Manifest
from facefleet.bundle.packing import Signer

from tests.unit.bundle.conftest import make_key


def heads(bundle: Path, folder: Path) -> None:
    """Take out what the operator takes out, with the tool that the operator has."""
    subprocess.run(
        ["tar", "-C", str(folder), "-xf", str(bundle), "--occurrence", "install", "install.sig"], check=True
    )


def verified(folder: Path, key: bytes) -> bool:
    (folder / "signer.pub").write_bytes(key)
    command = "openssl dgst -sha256 -verify signer.pub -signature install.sig install"
    return not subprocess.run(command.split(), cwd=folder, check=False, capture_output=True).returncode


def test_openssl_accepts_what_was_signed(bundle: Path, signer: Signer, tmp_path: Path) -> None:
    heads(bundle, tmp_path)
    assert verified(tmp_path, signer.public)


def test_openssl_refuses_another_key(bundle: Path, tmp_path: Path) -> None:
    heads(bundle, tmp_path)
    assert not verified(tmp_path, Signer.load(*make_key(tmp_path / "other")).public)


def test_openssl_refuses_an_installer_that_was_changed(bundle: Path, signer: Signer, tmp_path: Path) -> None:
    heads(bundle, tmp_path)
    with (tmp_path / "install").open("ab") as file:
        file.write(b"\n")
    assert not verified(tmp_path, signer.public)


def test_the_installer_checks_the_bundle_that_it_came_with(bundle: Path, tmp_path: Path) -> None:
    heads(bundle, tmp_path)
    command = [sys.executable, "-I", str(tmp_path / "install"), str(bundle), "--check"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "is whole: 3 parts" in done.stdout
    with bundle.open("r+b") as file:
        file.truncate(bundle.stat().st_size // 2)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cut off in its part images/amd64.tar.gz" in done.stderr


def test_the_installer_refuses_a_machine_that_it_has_nothing_for(
    bundle: Path, manifest: Manifest, files: dict[str, Path], signer: Signer, tmp_path: Path
) -> None:
    packing.pack(bundle, dataclasses.replace(manifest, control={"plan-9-mips": "3.13"}), files, signer)
    heads(bundle, tmp_path)
    command = [sys.executable, "-I", str(tmp_path / "install"), str(bundle), "--into", str(tmp_path / "into")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "the bundle has what a control host needs for plan-9-mips" in done.stderr
    assert not (tmp_path / "into").exists()


def test_a_bundle_that_is_there_stays(
    bundle: Path, manifest: Manifest, signer: Signer, tmp_path: Path
) -> None:
    assert packing.is_packed(bundle, manifest, signer)
    assert not packing.is_packed(bundle, dataclasses.replace(manifest, release="another"), signer)
    assert not packing.is_packed(bundle, manifest, Signer.load(*make_key(tmp_path / "other")))
    with bundle.open("r+b") as file:
        file.truncate(bundle.stat().st_size // 2)
    assert not packing.is_packed(bundle, manifest, signer)


def test_what_is_cut_in_the_middle_of_its_making_is_not_there(
    bundle: Path, manifest: Manifest, files: dict[str, Path], signer: Signer
) -> None:
    bundle.unlink()
    files["images/amd64.tar.gz"].unlink()
    with pytest.raises(OSError, match="No such file"):
        packing.pack(bundle, manifest, files, signer)
    assert list(bundle.parent.glob("*.bundle*")) == []


def test_a_wrong_passphrase_is_told(tmp_path: Path) -> None:
    key, passphrase = make_key(tmp_path / "authority")
    passphrase.write_text("guess")
    with pytest.raises(BundleError, match="does not open"):
        Signer.load(key, passphrase)


def test_every_module_that_the_installer_needs_is_in_it(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        assert [entry.name for entry in archive][:3] == ["install", "install.sig", "signer.pub"]
