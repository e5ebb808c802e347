"""A stranger at a broker's TLS port: what it shows, and what becomes of it."""

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

ANSWER_S = 10.0


class Authority:
    """An authority that signs what a test asks for: the fleet's own, or one made up."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def of_the_fleet(cls, folder: Path, passphrase: Path) -> "Authority":
        """Open the fleet's own, as only the control host can."""
        key = serialization.load_pem_private_key(
            (folder / "ca.key").read_bytes(), passphrase.read_bytes().strip()
        )
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), key)

    @classmethod
    def made_up(cls) -> "Authority":
        """Make one of the same name that nobody trusts."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Facefleet lab")])
        certificate = (
            _builder(name, name, key, days=1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def sign(self, name: str, folder: Path, *, days: int = 1) -> Path:
        """Write a certificate and its key for a name into a folder; with negative days it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = _builder(subject, self.certificate.subject, key, days=days).sign(
            self._key, hashes.SHA256()
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "host.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "host.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return folder


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - dt.timedelta(days=1))
        .not_valid_after(end)
    )


class Stranger:
    """A client at the broker's TLS port that hears what it is told."""

    def __init__(self, client: paho.Client) -> None:
        self._client = client
        self._answered = threading.Event()
        self._answer: ReasonCode | None = None
        self.gone = threading.Event()
        client.on_publish = self._published
        client.on_disconnect = lambda *_: self.gone.set()

    def publish(self, topic: str) -> str:
        """Publish at QoS 1 and return what the broker says of it."""
        self._answered.clear()
        self._client.publish(topic, b"a face", qos=1)
        assert self._answered.wait(ANSWER_S), f"no answer to {topic}"
        return str(self._answer)

    def _published(
        self,
        _client: paho.Client,
        _data: object,
        _mid: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._answer = reason
        self._answered.set()


@contextmanager
def connected(
    address: str, ca: Path, identity: Path | None, client_id: str = "stranger"
) -> Iterator[Stranger]:
    """Connect with a certificate, or without.

    Raises:
        PermissionError: the broker does not let it in.
    """
    context = ssl.create_default_context(cafile=str(ca))
    if identity:
        context.load_cert_chain(identity / "host.crt", identity / "host.key")
    # One try: who is refused stays out.
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, reconnect_on_failure=False
    )
    client.tls_set_context(context)
    let_in = threading.Event()
    refused = threading.Event()
    client.on_connect = lambda *_: let_in.set()
    client.on_disconnect = lambda *_: refused.set()
    client.on_connect_fail = lambda *_: refused.set()
    try:
        client.connect(address, 8883)
    except ssl.SSLError as error:
        raise PermissionError(str(error)) from error
    client.loop_start()
    try:
        for _ in range(int(ANSWER_S * 10)):
            if let_in.wait(0.1) or refused.is_set():
                break
        if not let_in.is_set():
            raise PermissionError("the broker ended the connection" if refused.is_set() else "no answer")
        yield Stranger(client)
    finally:
        client.disconnect()
        client.loop_stop()
        if connection := client.socket():  # paho leaves it open where the broker ended the session
            connection.close()
