"""Write a bundle: the signed installer first, then each part, copied a chunk at a time."""

import contextlib
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from facefleet.bundle import installer, unpacking
from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import INSTALLER, KEY, SIGNATURE, Manifest, Part


@dataclass(frozen=True)
class Signer:
    """The site's key that signs releases and bundles."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def load(cls, file: Path, passphrase_file: Path) -> "Signer":
        """Read it; its passphrase is in a file."""
        passphrase = passphrase_file.read_text().rstrip("\n").encode()
        try:
            key = serialization.load_pem_private_key(file.read_bytes(), passphrase)
        except ValueError as error:
            raise BundleError(
                f"{file} does not open with the passphrase in {passphrase_file}: {error}"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BundleError(f"{file} is no key that signs: an EC one is wanted")
        return cls(key)

    @property
    def public(self) -> bytes:
        """Return the public key, as openssl reads it."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, content: bytes) -> bytes:
        """Return what `openssl dgst -sha256 -verify` accepts; for the same content it is the same."""
        return self.key.sign(content, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Tell whether a signature is of this key."""
        with contextlib.suppress(InvalidSignature):
            self.key.public_key().verify(signature, content, ec.ECDSA(hashes.SHA256()))
            return True
        return False


def part(name: str, file: Path) -> Part:
    """Measure a file that becomes a part."""
    with file.open("rb") as opened:
        return Part(name, file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest())


def is_packed(bundle: Path, manifest: Manifest, signer: Signer) -> bool:
    """Tell whether a bundle is there already, whole, with this very content, and signed with this key."""
    if not bundle.exists():
        return False
    try:
        with tarfile.open(bundle, "r:") as archive:
            program, signature, key = (_read(archive, name) for name in (INSTALLER, SIGNATURE, KEY))
        unpacking.check(bundle, manifest)
    except (BundleError, tarfile.TarError, KeyError):
        return False
    return program == installer.build(manifest) and key == signer.public and signer.signed(program, signature)


def pack(bundle: Path, manifest: Manifest, files: dict[str, Path], signer: Signer) -> None:
    """Write a bundle, all of it or nothing; the same for the same content and key."""
    program = installer.build(manifest)
    coming = bundle.with_name(bundle.name + ".coming")
    bundle.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(coming, "w", format=tarfile.GNU_FORMAT) as archive:
            heads = {INSTALLER: program, SIGNATURE: signer.sign(program), KEY: signer.public}
            for name, content in heads.items():
                archive.addfile(_entry(name, len(content)), io.BytesIO(content))
            for listed in manifest.parts:
                with files[listed.name].open("rb") as content_file:
                    archive.addfile(_entry(listed.name, listed.size), content_file)
        with coming.open("rb") as written:
            os.fsync(written.fileno())
        coming.rename(bundle)
    finally:
        coming.unlink(missing_ok=True)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()
