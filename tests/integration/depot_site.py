"""A depot with an authority, a signer and devices, and the control host's side of it."""

import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from facefleet.depot import layout
from facefleet.depot.access import Access
from facefleet.depot.inbox import Inbox as Taken
from facefleet.depot.overview import overview
from facefleet.depot.pruning import prune
from facefleet.depot.signing import Signer
from facefleet.depot.store import Store
from facefleet.runtime.identity import Identity
from facefleet.runtime.moment import iso
from facefleet.storage.s3 import S3Settings

from tests.integration.certificates import Authority, named, replaced
from tests.integration.containers import S3Server, succeeds
from tests.integration.services import Service, environment
from tests.integration.waiting import free_port

CLOUD = "cloud"


class Answer(NamedTuple):
    """What the depot said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class DepotSite:
    """Everything runs when this is started; `bucket` is one that the depot's key may use."""

    def __init__(self, s3: S3Server, bucket: str, folder: Path, devices: tuple[str, ...]) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.folder = folder
        self.authority = Authority(folder / "authority")
        self.identity = Identity.within(folder / "identity")
        self._signer = ec.generate_private_key(ec.SECP256R1())
        self.signer_file = replaced(folder / "identity/signer.pub", public_pem(self._signer))
        self.renew()
        self.devices = {device: self.authority.issue(device) for device in devices}
        self.access = folder / "access"
        self.let_in(*devices)
        self.revoke()
        self.port = free_port()
        self._inboxes = 0
        settings = {
            "FACEFLEET_BUCKET": bucket,
            "FACEFLEET_S3_ENDPOINT": s3.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials("depot")),
            "FACEFLEET_CA": str(self.identity.ca),
            "FACEFLEET_CERTIFICATE": str(self.identity.certificate),
            "FACEFLEET_KEY": str(self.identity.key),
            "FACEFLEET_SIGNER": str(self.signer_file),
            "FACEFLEET_ACCESS_DIR": str(self.access),
        }
        self._environment = environment(settings)
        self.depot = Service(
            "depot",
            folder / "depot",
            settings | {"FACEFLEET_ADDRESS": "127.0.0.1", "FACEFLEET_PORT": str(self.port)},
        )

    def start(self) -> None:
        admin = self.s3.client("admin")
        succeeds(lambda: admin.create_bucket(Bucket=self.bucket), 60)
        admin.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.s3.await_put(self.bucket, 60)
        self.depot.start()
        self.depot.await_healthy()

    # --- the cloud host's files ---

    def renew(self, authority: Authority | None = None) -> None:
        """Give the depot a new certificate, as a renewal does: a new pair, then the link to it."""
        issued = (authority or self.authority).issue(CLOUD, ("127.0.0.1", "localhost"))
        folder = self.identity.ca.parent
        pair = folder / "pairs" / hashlib.sha256(issued.certificate.read_bytes()).hexdigest()[:12]
        replaced(pair / "host.crt", issued.certificate.read_bytes())
        replaced(pair / "host.key", issued.key.read_bytes())
        for name in ("host.crt", "host.key"):
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(f"pair/{name}")
        draft = folder / "pair.new"
        draft.symlink_to(pair.relative_to(folder))
        draft.replace(folder / "pair")
        if not self.identity.ca.exists():
            self.trust(self.authority)

    def trust(self, *authorities: Authority) -> None:
        replaced(self.identity.ca, b"".join(each.file.read_bytes() for each in authorities))

    def let_in(self, *devices: str) -> None:
        rules = "".join(f"\nuser {device}\ntopic write face_detection/{device}/#\n" for device in devices)
        replaced(self.access / "acl", f"topic read $SYS/#\n{rules}".encode())

    def revoke(self, *identities: Identity) -> None:
        self.authority.revoke(*identities)
        replaced(self.access / "crl.pem", self.authority.crl.read_bytes())

    # --- a device ---

    def connection(
        self, identity: Identity | None, port: int | None = None, address: str = "127.0.0.1"
    ) -> HTTPSConnection:
        """Connect as a device, or as a stranger, who only knows whom to trust."""
        context = (
            identity.context() if identity else ssl.create_default_context(cafile=str(self.authority.file))
        )
        return HTTPSConnection(
            "127.0.0.1", port or self.port, context=context, timeout=20, source_address=(address, 0)
        )

    def ask(
        self, identity: Identity | None, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        connection = self.connection(identity)
        try:
            return asked(connection, method, path, body, **headers)
        finally:
            connection.close()

    def get(self, device: str, path: str, **headers: str) -> Answer:
        return self.ask(self.devices[device], "GET", path, **headers)

    def order_of(self, device: str) -> dict[str, Any] | None:
        """Return the order that a device is given."""
        answer = self.get(device, f"/v1/devices/{device}/order")
        if answer.status == 404:
            return None
        assert answer.status == 200, answer
        order: dict[str, Any] = json.loads(answer.json["order"])
        return order

    def say(self, device: str, state: str, edition: str | None, wants: str | None = None) -> None:
        report = {
            "edition": edition, "wants": wants or edition, "state": state, "why": "",
            "release": "0123456789ab", "said": "1970-01-01T00:00:10Z",
        }  # fmt: skip
        answer = self.ask(self.devices[device], "PUT", f"/v1/devices/{device}/report", report)
        assert answer.status == 204, answer

    # --- the control host ---

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command in the depot's place."""
        return subprocess.run(
            [sys.executable, "-m", "facefleet.depot", *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def take(self, inbox: "Inbox") -> dict[str, int]:
        return Taken(inbox.folder, self.store, Signer(self.signer_file)).take()

    def state(self) -> dict[str, Any]:
        return overview(self.store, Access(self.access).names(), datetime.now(UTC), map)

    def prune(self, spare: timedelta = timedelta(0)) -> dict[str, int]:
        return prune(self.store, Access(self.access).names(), datetime.now(UTC), spare, map)

    @cached_property
    def store(self) -> Store:
        """Return the bucket as the depot sees it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(self.s3.credentials("depot")))
            store = Store(S3Settings.model_validate({"bucket": self.bucket, "s3_endpoint": self.s3.url}))
            store.tag(layout.NEWS)  # keys are read at the first use
        return store

    def inbox(self, *blobs: bytes) -> "Inbox":
        self._inboxes += 1
        return Inbox(self.folder / f"inbox-{self._inboxes}", self._signer, blobs)


class Inbox:
    """What the control host brings."""

    def __init__(self, folder: Path, signer: ec.EllipticCurvePrivateKey, blobs: tuple[bytes, ...]) -> None:
        self.folder = folder
        self._signer = signer
        folder.mkdir()
        for blob in blobs:
            self.put(f"blobs/{digest(blob)}", blob)

    def put(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def order(
        self, device: str, serial: int, edition: str, *blobs: bytes, ring: int = 0, soak_s: int = 0
    ) -> str:
        """Put an order, signed; return its text."""
        about = [{"sha256": digest(blob), "size": len(blob)} for blob in blobs]
        text = json.dumps(
            {
                "version": 1, "device": device, "serial": serial, "edition": edition, "ring": ring,
                "soak_s": soak_s, "made": iso(datetime.now(UTC)), "playbooks": about[0],
                "variables": {"edge_qos": 1}, "images": {"facefleet/forwarder:1": {
                    "id": "sha256:1", "config": about[0],
                    "layers": [{"diff_id": "sha256:2", **each} for each in about[1:]],
                }},
                "puller": {"ref": "facefleet/puller:1", "archive": about[0]},
            },
            indent=1,
        )  # fmt: skip
        self.put(f"orders/{device}/{serial:010d}.json", text.encode())
        signature = self._signer.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        self.put(f"orders/{device}/{serial:010d}.sig", base64.b64encode(signature) + b"\n")
        return text

    def enrolment(self, device: str, secret: bytes, *, minutes: float = 60) -> None:
        expires = datetime.now(UTC) + timedelta(minutes=minutes)
        about = {"secret_sha256": digest(secret), "expires": iso(expires)}
        self.put(f"enrolment/{device}.json", json.dumps(about).encode())


class Applicant:
    """A device with a key of its own making and no certificate yet."""

    def __init__(self, name: str, secret: bytes = b"") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(named(name))
        self.request = (
            builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        )
        mac = hmac.digest(secret, self.request.encode(), "sha256").hex()
        self.application = {"request": self.request, "mac": mac}
        self.shown = {"X-Enrolment": digest(secret)}


def asked(connection: HTTPSConnection, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """Ask once, on a connection that may be used again."""
    content = body if isinstance(body, bytes | str | None) else json.dumps(body)
    connection.request(method, path, content, headers)
    answer = connection.getresponse()
    return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def signed(authority: Authority, name: str, request: str) -> bytes:
    """Return the certificate that a request is answered with."""
    key = x509.load_pem_x509_csr(request.encode()).public_key()
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        authority.subject, named(name), key, x509.random_serial_number(), now - timedelta(days=1),
        now + timedelta(days=30),
    ).sign(authority.key, hashes.SHA256())  # fmt: skip
    return certificate.public_bytes(serialization.Encoding.PEM)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def running(site: DepotSite) -> Iterator[DepotSite]:
    """Yield it while it runs, for a fixture."""
    try:
        site.start()
        yield site
    finally:
        if site.depot.running:
            site.depot.stop()
