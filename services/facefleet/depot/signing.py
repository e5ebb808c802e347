"""Reads signing requests, certificates and signatures."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CURVES = (ec.SECP256R1, ec.SECP384R1)
_REMEDY = (
    "make an EC key of the curve P-256 and a request of the device's name (openssl req -new -subj /CN=...)"
)


class SigningError(ValueError):
    """This is no request or certificate of that device; the text says why."""


class Signer:
    """Who signs orders: the control host. Devices check it too, but seen here it troubles nobody."""

    def __init__(self, file: Path) -> None:
        """`file` is its public key, PEM; read when it is needed."""
        self._file = file

    def check(self, text: bytes, signature: bytes) -> None:
        """Check what `openssl dgst -sha256 -sign` made.

        Raises:
            SigningError: it is another's, or of another text.
        """
        try:
            key = serialization.load_pem_public_key(self._file.read_bytes())
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no public key"
            raise SigningError(f"{self._file}: {reason}: run site.yml for the cloud host") from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise SigningError(f"{self._file} is no EC key: run site.yml for the cloud host")
        try:
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise SigningError(f"it is not signed with the key of {self._file}: sign it again") from error


def key_in_request(pem: str, device: str) -> bytes:
    """Return the public key in a device's signing request.

    Raises:
        SigningError: it is no request, not signed with its own key, or another's.
    """
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        # Strangers send these too: the signature of no costly key is looked at.
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
            raise SigningError(f"its key is of no kind that is signed: {_REMEDY}")
        sound = request.is_signature_valid
        name = _name(request.subject)
    except (ValueError, UnsupportedAlgorithm) as error:
        if isinstance(error, SigningError):
            raise
        raise SigningError(f"it is no signing request: {_REMEDY}") from error
    if not sound:
        raise SigningError(f"it is not signed with its own key: {_REMEDY}")
    if name != device:
        raise SigningError(f"it asks for the name {name!r}, not {device}: {_REMEDY}")
    return _encoded(key)


def key_in_certificate(pem: bytes, device: str) -> bytes:
    """Return the public key in a device's certificate.

    Raises:
        SigningError: it is none, or another's.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
        name = _name(certificate.subject)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningError("it is no certificate (PEM)") from error
    if name != device:
        raise SigningError(f"it is a certificate of {name!r}, not of {device}")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificates_in(pem: bytes) -> int:
    """Return how many certificates there are.

    Raises:
        SigningError: there is none, or one is damaged.
    """
    try:
        return len(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise SigningError("it holds no sound certificate (PEM)") from error


def _encoded(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _name(subject: x509.Name) -> str:
    """Return the only name in a subject, or all of it."""
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    alone = len(subject) == len(names) == 1
    return str(names[0].value) if alone else subject.rfc4514_string()
