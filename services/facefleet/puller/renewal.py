"""The host's certificate, renewed before it ends: the new key is made here and never leaves.

The layout is that of the role `identity`: `host.crt` and `host.key` lead through the link `pair` to a folder
below `pairs/`, so that both change in one step; what waits for its certificate is in `pairs/next/`.
"""

import hashlib
import os
import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from facefleet.puller.memory import write

SERVICES_UID = 10001
"""Who reads the key: the user in the containers."""
KEEP_BEFORE = 1
"""Pairs before the one that counts that stay: somebody may be reading them."""


class RenewalError(Exception):
    """A certificate that is of no use here; the text says why and what helps."""


class Keeper:
    """The folder of a host's identity."""

    def __init__(self, folder: Path, uid: int = SERVICES_UID) -> None:
        self._folder = folder
        self._pairs = folder / "pairs"
        self._next = folder / "pairs/next"
        self._uid = uid

    def certificate(self) -> x509.Certificate:
        """Return the one that counts.

        Raises:
            RenewalError: there is none that can be read.
        """
        file = self._folder / "host.crt"
        try:
            return x509.load_pem_x509_certificate(file.read_bytes())
        except (OSError, ValueError) as error:
            raise RenewalError(f"{file} cannot be read ({error}): enrol the device anew") from error

    def is_due(self, days: float, now: datetime) -> bool:
        """Return whether the certificate has fewer days left."""
        return self.certificate().not_valid_after_utc - now < timedelta(days=days)

    @property
    def waits(self) -> bool:
        """Return whether a key waits for its certificate."""
        return (self._next / "host.csr").exists()

    def request(self) -> bytes:
        """Return the request for the same names, with a key that is made the first time.

        Raises:
            RenewalError: the folder has a layout of a former release.
        """
        if not (self._folder / "pair").is_symlink():
            raise RenewalError(
                f"{self._folder} has the layout of a former release: "
                "run playbooks/identity.yml for this device"
            )
        key, csr = self._next / "host.key", self._next / "host.csr"
        with suppress(OSError):
            if key.exists():
                return csr.read_bytes()
        self._next.mkdir(mode=0o755, parents=True, exist_ok=True)
        made = ec.generate_private_key(ec.SECP256R1())
        if not key.exists():
            write(key, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o400)
            os.chown(key, self._uid, self._uid)
        own = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(own, ec.EllipticCurvePrivateKey):
            raise RenewalError(f"{key} is no EC key: remove {self._next}, and the next run makes one")
        now = self.certificate()
        asked = x509.CertificateSigningRequestBuilder().subject_name(now.subject)
        with suppress(x509.ExtensionNotFound):
            names = now.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            asked = asked.add_extension(names.value, critical=False)
        text = asked.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM)
        write(csr, text, 0o644)
        return text

    def take(self, pem: bytes, device: str, now: datetime) -> bool:
        """Let a certificate count, with the key that waited for it; return whether it is a new one.

        Raises:
            RenewalError: it is not for this key and name, or nobody whom we trust signed it.
        """
        try:
            fresh = x509.load_pem_x509_certificate(pem)
        except ValueError as error:
            raise RenewalError(
                "the depot's certificate for this device cannot be read: promote again"
            ) from error
        if fresh == self.certificate() or not (self._next / "host.key").exists():
            return False
        own = load_pem_private_key((self._next / "host.key").read_bytes(), None)
        if _spki(own) != _spki(fresh):
            return False  # the one before: ours is not signed yet
        names = [str(name.value) for name in fresh.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [device]:
            raise RenewalError(
                f"the depot's certificate is for {', '.join(names)}, not for {device}: "
                "look who holds the cloud host"
            )
        if not fresh.not_valid_before_utc <= now < fresh.not_valid_after_utc:
            raise RenewalError(
                "the new certificate does not count by this device's clock: let it reach a time server"
            )
        self._check_trust(fresh)
        self._count(fresh, pem)
        return True

    def trust(self, pem: str) -> bool:
        """Trust these authorities from now on; return whether they were others.

        Raises:
            RenewalError: they cannot be read, or our own certificate is of none of them.
        """
        file = self._folder / "ca.crt"
        if not pem or file.read_text() == pem:
            return False
        try:
            authorities = x509.load_pem_x509_certificates(pem.encode())
        except ValueError as error:
            raise RenewalError("the order's authorities cannot be read: promote again") from error
        if not any(_signed(self.certificate(), authority) for authority in authorities):
            raise RenewalError(
                "the order trusts no authority of this device's certificate any more: "
                "the renewal comes first; promote again"
            )
        write(file, pem.encode(), 0o644)
        return True

    def _check_trust(self, fresh: x509.Certificate) -> None:
        authorities = x509.load_pem_x509_certificates((self._folder / "ca.crt").read_bytes())
        if not any(_signed(fresh, authority) for authority in authorities):
            raise RenewalError(
                "the new certificate is of an authority that this device does not trust: "
                "promote, so that it learns of it first"
            )

    def _count(self, fresh: x509.Certificate, pem: bytes) -> None:
        """Whenever the power goes, one pair or the other counts."""
        name = hashlib.sha256(fresh.public_bytes(Encoding.DER)).hexdigest()[:12]
        write(self._next / "host.crt", pem, 0o644)
        (self._next / "host.csr").unlink(missing_ok=True)
        pair = self._pairs / name
        if pair.exists():
            shutil.rmtree(self._next)
        else:
            self._next.rename(pair)
        link = self._folder / ".pair.new"
        link.unlink(missing_ok=True)
        link.symlink_to(f"pairs/{name}")
        link.replace(self._folder / "pair")
        others = sorted(
            (each for each in self._pairs.iterdir() if each != pair), key=lambda each: each.stat().st_mtime
        )
        for old in others[: len(others) - KEEP_BEFORE]:
            shutil.rmtree(old)


def _spki(of: object) -> bytes:
    public = of.public_key()  # type: ignore[attr-defined]
    return bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
