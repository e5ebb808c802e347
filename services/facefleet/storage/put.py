"""Puts objects into one bucket, each unless its key exists, over connections that are kept.

Source: S3 PutObject with `If-None-Match: *`.
"""

import base64
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from facefleet.storage.answer import Answer
from facefleet.storage.connection import Connection, Place, place_of, trusted
from facefleet.storage.keys import KeyRing
from facefleet.storage.s3 import S3Settings, client
from facefleet.storage.signature import Keys, Scope, amz_date, authorization, path_of, signing_key

Encryption = Literal["bucket", "AES256", "aws:kms"]
"""Asked for with each put; `bucket` leaves it to the bucket's own setting."""

_AWS = (".amazonaws.com", ".amazonaws.com.cn")
_KEYS_REFUSED = {
    "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Upload:
    """One object on its way."""

    key: str
    """ASCII, not encoded."""
    body: bytes
    digest: bytes
    """The body's SHA-256, 32 bytes; the server checks it."""
    content_type: str
    metadata: Mapping[str, str]
    """Names in lower case, values printable ASCII."""


class Puts:
    """One bucket, for putting only. Thread-safe: each thread has its own connection."""

    def __init__(
        self, settings: S3Settings, encryption: Encryption = "bucket", keys: KeyRing | None = None
    ) -> None:
        self._region = settings.s3_region
        self._place = place(settings)
        self._context = trusted() if self._place.tls else None
        self._always = {"host": self._place.authority, "if-none-match": "*"}
        if encryption != "bucket":
            self._always["x-amz-server-side-encryption"] = encryption
        self._keys = keys or KeyRing()
        self._signing = (Keys("", ""), Scope("", ""), b"")
        self._own = threading.local()
        self._connections: list[Connection] = []

    def put(self, upload: Upload) -> Answer:
        """Put one object and return what the server said: 200 for stored, 412 for already there.

        Raises:
            ExchangeError: no answer; whether the object is there is not known.
            NoKeysError: there is nothing to sign with.
            ValueError: a header is not printable ASCII.
        """
        keys = self._keys.current()
        answer = self._connection().exchange(self._head(upload, keys), upload.body)
        if answer.code in _KEYS_REFUSED:
            self._keys.refused(keys)
        return answer

    def close(self) -> None:
        """End the connections of all threads; none must be putting."""
        for connection in self._connections:
            connection.close()

    def _head(self, upload: Upload, keys: Keys) -> bytes:
        date = amz_date(time.time())
        headers = {
            **self._always,
            "content-type": upload.content_type,
            "x-amz-checksum-sha256": base64.b64encode(upload.digest).decode(),
            "x-amz-content-sha256": upload.digest.hex(),
            "x-amz-date": date,
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        for name, value in upload.metadata.items():
            headers[f"x-amz-meta-{name}"] = value
        lines = "".join([f"{name}:{value}\r\n" for name, value in headers.items()])
        if not lines.isascii() or not lines.replace("\r\n", "", len(headers)).isprintable():
            raise ValueError(f"a header of {upload.key!r} is not printable ASCII")
        path = self._place.path + path_of(upload.key)
        signed = self._signature(keys, date, path, headers)
        size = len(upload.body)
        head = f"PUT {path} HTTP/1.1\r\n{lines}authorization:{signed}\r\ncontent-length:{size}\r\n\r\n"
        return head.encode()

    def _signature(self, keys: Keys, date: str, path: str, headers: Mapping[str, str]) -> str:
        scope = Scope(date[:8], self._region)
        known_keys, known_scope, derived = self._signing
        if keys != known_keys or scope != known_scope:
            derived = signing_key(keys.secret_key, scope)
            self._signing = keys, scope, derived
        return authorization(keys, scope, derived, ("PUT", path, ""), headers)

    def _connection(self) -> Connection:
        try:
            connection: Connection = self._own.connection
        except AttributeError:
            connection = self._own.connection = Connection(self._place, self._context)
            self._connections.append(connection)
        return connection


def place(settings: S3Settings) -> Place:
    """Return where the settings' bucket is: at the endpoint, or at AWS as part of the host's name.

    A bucket with dots goes into the path: no certificate covers it as a name.
    """
    if settings.s3_endpoint:
        return place_of(str(settings.s3_endpoint), settings.bucket, virtual=False)
    s3 = client(settings)  # knows the hosts of all regions, and what AWS_ENDPOINT_URL says
    endpoint = s3.meta.endpoint_url.rstrip("/")
    s3.close()
    return place_of(endpoint, settings.bucket, virtual=endpoint.endswith(_AWS) and "." not in settings.bucket)
