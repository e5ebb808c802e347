"""When the certificate ends, also after it was renewed or damaged."""

import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from facefleet.runtime.certificate import Certificate

END = "-----END CERTIFICATE-----\n"
ENDS = datetime(2027, 11, 25, 17, 0, 0, tzinfo=UTC)


def issue(file: Path, ends: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jetson-07")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = (
        builder.not_valid_before(ends - timedelta(days=90)).not_valid_after(ends).sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def test_it_is_told_and_told_anew_when_the_file_is_another(tmp_path: Path) -> None:
    file = tmp_path / "host.crt"
    certificate = Certificate(file)
    assert certificate.ends() is None
    issue(file, ENDS)
    assert [certificate.ends() for _ in range(2)] == ["2027-11-25T17:00:00Z"] * 2
    issue(tmp_path / "new", ENDS + timedelta(days=90))
    (tmp_path / "new").replace(file)
    assert certificate.ends() == "2028-02-23T17:00:00Z"
    file.unlink()
    assert certificate.ends() is None


def test_of_two_authorities_the_one_that_lasts_longer_counts(tmp_path: Path) -> None:
    """The other is being replaced."""
    file = tmp_path / "ca.crt"
    issue(file, ENDS)
    issue(tmp_path / "next", ENDS + timedelta(days=90))
    file.write_bytes(file.read_bytes() + (tmp_path / "next").read_bytes())
    both = Certificate(file)
    assert both.ends() == "2028-02-23T17:00:00Z"
    ders = [ssl.PEM_cert_to_DER_cert(f"{pem}{END}") for pem in file.read_text().split(END)[:2]]
    assert both.prints() == [hashlib.sha256(der).hexdigest()[:12] for der in ders]
    assert Certificate(None).prints() == []


def test_one_that_cannot_be_read_and_none_at_all_have_no_end(tmp_path: Path) -> None:
    file = tmp_path / "host.crt"
    file.write_text("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
    assert Certificate(file).ends() is None
    assert Certificate(tmp_path).ends() is None
    assert Certificate(None).ends() is None
