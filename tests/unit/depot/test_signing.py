"""Signing requests, certificates, signatures."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from facefleet.depot.signing import Signer, SigningError, certificates_in, key_in_certificate, key_in_request

from tests.integration.certificates import Authority, named


def request(
    name: x509.Name | str = "jetson-01",
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
) -> str:
    subject = named(name) if isinstance(name, str) else name
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    made = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_a_request_and_the_certificate_of_its_key_fit(tmp_path: Path) -> None:
    identity = Authority(tmp_path).issue("jetson-01")
    key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    asked = key_in_request(request(key=key), "jetson-01")
    assert asked == key_in_certificate(identity.certificate.read_bytes(), "jetson-01")
    assert asked != key_in_request(request(), "jetson-01")


def test_a_request_for_another_name_is_refused() -> None:
    two = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("jetson-01", "jetson-02")])
    more = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "jetson-01"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x"),
        ]
    )
    for name in ("jetson-02", two, more, x509.Name([])):
        with pytest.raises(SigningError, match="it asks for the name"):
            key_in_request(request(name), "jetson-01")


def test_a_request_that_somebody_changed_or_that_is_none_is_refused() -> None:
    der = bytearray(base64.b64decode("".join(request().splitlines()[1:-1])))
    der[-1] ^= 1
    body = base64.encodebytes(bytes(der)).decode()
    changed = f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(SigningError, match="not signed with its own key"):
        key_in_request(changed, "jetson-01")
    for text in ("", "x", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"):
        with pytest.raises(SigningError, match="it is no signing request"):
            key_in_request(text, "jetson-01")


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())],
    ids=["RSA", "P-521"],
)
def test_a_key_of_another_kind_is_refused(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    with pytest.raises(SigningError, match="of no kind that is signed"):
        key_in_request(request(key=key), "jetson-01")


def test_another_s_certificate_and_what_is_none_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(SigningError, match="a certificate of 'jetson-02', not of jetson-01"):
        key_in_certificate(authority.issue("jetson-02").certificate.read_bytes(), "jetson-01")
    with pytest.raises(SigningError, match="no certificate"):
        key_in_certificate(b"", "jetson-01")
    assert certificates_in(authority.file.read_bytes() * 2) == 2
    with pytest.raises(SigningError, match="no sound certificate"):
        certificates_in(b"none")


def test_what_openssl_signs_is_taken_and_nothing_else(tmp_path: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, timeout=30, capture_output=True)

    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "signer.key")
    openssl("pkey", "-in", "signer.key", "-pubout", "-out", "signer.pub")
    (tmp_path / "order").write_bytes(b"an order")
    openssl("dgst", "-sha256", "-sign", "signer.key", "-out", "order.sig", "order")
    signature = (tmp_path / "order.sig").read_bytes()
    signer = Signer(tmp_path / "signer.pub")
    signer.check(b"an order", signature)
    for text, given in ((b"another", signature), (b"an order", signature[:-1]), (b"an order", b"")):
        with pytest.raises(SigningError, match="is not signed with the key"):
            signer.check(text, given)
    with pytest.raises(SigningError, match=r"No such file or directory: run site\.yml"):
        Signer(tmp_path / "none").check(b"an order", signature)
