"""An identity as the role `identity` makes it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 28, 21, tzinfo=UTC)


class Authority:
    """Signs for anybody."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Facefleet test")])
        self.pem = self._sign(self._name, self._key.public_key(), 3650)

    def sign(self, device: str, key: ec.EllipticCurvePublicKey, days: float = 300) -> bytes:
        return self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)]), key, days)

    def answer(self, request: bytes) -> bytes:
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        key = asked.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return self._sign(asked.subject, key, 397)

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePublicKey, days: float) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("jetson-01")]), critical=False)
        )
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """An identity with 30 days left, as the role makes it."""
    pair = tmp_path / "pairs/first"
    pair.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    (pair / "host.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (pair / "host.crt").write_bytes(authority.sign("jetson-01", key.public_key(), 30))
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    (tmp_path / "pair").symlink_to("pairs/first")
    for name in ("host.crt", "host.key"):
        (tmp_path / name).symlink_to(f"pair/{name}")
    return tmp_path
