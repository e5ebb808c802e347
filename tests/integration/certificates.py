"""A fleet's authority, and all kinds of certificates, good and bad."""

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from facefleet.runtime.identity import Identity

DAY = timedelta(days=1)


@dataclass
class Authority:
    """A certificate authority that keeps its files in a folder."""

    folder: Path
    name: str = "fleet"
    revoked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = named(self.name)
        now = datetime.now(UTC)
        public = self.key.public_key()
        self.certificate = (
            x509.CertificateBuilder(
                self.subject, self.subject, public, x509.random_serial_number(), now - 9 * DAY, now + 99 * DAY
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.file = replaced(self.folder / "ca.crt", pem(self.certificate))
        self.crl = self.folder / "crl.pem"
        self.revoke()

    def issue(self, name: str, hosts: tuple[str, ...] = (), *, begins: int = -1, ends: int = 30) -> Identity:
        """Make a key and a certificate, in a folder of its name; `begins` and `ends` are days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key()
        now = datetime.now(UTC)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder(
                self.subject,
                named(name),
                public,
                x509.random_serial_number(),
                now + begins * DAY,
                now + ends * DAY,
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if hosts:
            alternatives = x509.SubjectAlternativeName([alternative(host) for host in hosts])
            builder = builder.add_extension(alternatives, critical=False)
        identity = Identity.within(self.folder / name)
        replaced(identity.ca, pem(self.certificate))
        replaced(identity.certificate, pem(builder.sign(self.key, hashes.SHA256())))
        replaced(
            identity.key,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return identity

    def revoke(self, *identities: Identity, ends: int = 30) -> Self:
        """Write the CRL anew, with these added to it."""
        for identity in identities:
            certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
            self.revoked.append(certificate.serial_number)
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self.subject, now - 9 * DAY, now + ends * DAY)
        for serial in self.revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY).build()
            )
        replaced(self.crl, builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return self


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def replaced(file: Path, content: bytes) -> Path:
    """Replace a file as an installer does, readable for any user of a container."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_bytes(content)
    draft.chmod(0o444)
    draft.replace(file)
    return file
