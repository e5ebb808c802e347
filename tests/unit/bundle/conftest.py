"""A small bundle that is made as a real one is, and the key that signs it."""

import subprocess
from pathlib import Path

import pytest
from facefleet.bundle import packing
from facefleet.bundle.manifest import Manifest
from facefleet.bundle.packing import Signer

PASSPHRASE = "open sesame"


def make_key(folder: Path) -> tuple[Path, Path]:
    """Make a signer's key as the role identity does, and the file with its passphrase."""
    folder.mkdir(parents=True, exist_ok=True)
    key, passphrase = folder / "signer.key", folder / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256",
         "-pass", f"file:{passphrase}", "-out", str(key)],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, passphrase


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.load(*make_key(tmp_path / "authority"))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Three parts, one of them larger than what is read at once."""
    contents = {
        "release.tar.gz": b"the release",
        "images/amd64.tar.gz": bytes(range(256)) * 10_000,
        "wheels/a-1.0-py3-none-any.whl": b"a wheel",
    }
    made = {}
    for name, content in contents.items():
        made[name] = tmp_path / "parts" / name
        made[name].parent.mkdir(parents=True, exist_ok=True)
        made[name].write_bytes(content)
    return made


@pytest.fixture
def manifest(files: dict[str, Path]) -> Manifest:
    return Manifest(
        release="0123456789ab",
        commit="0123456789ab" + 28 * "0",
        parts=[packing.part(name, file) for name, file in files.items()],
        hosts=["debian-12-amd64", "debian-13-amd64"],
        control={"debian-13-amd64": "3.13"},
        images={"facefleet/broker:0123456789ab": "sha256:" + 64 * "0"},
    )


@pytest.fixture
def bundle(tmp_path: Path, manifest: Manifest, files: dict[str, Path], signer: Signer) -> Path:
    path = tmp_path / "facefleet-0123456789ab.bundle"
    packing.pack(path, manifest, files, signer)
    return path
