"""The depot, as a device reaches it: over mutual TLS, and it always dials itself."""

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import AnyUrl

from facefleet.runtime.identity import Identity, IdentityError

ANSWER_WITHIN_S = 30.0
DEFAULT_PORT = 8884
_MOST = 8 * 1024 * 1024
_NOT_YET_VALID, _EXPIRED = 9, 10
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class DepotError(Exception):
    """The depot cannot be reached, or refuses; the text says why and what helps."""


class Absent(DepotError):  # noqa: N818 - that is an answer
    """There is nothing there (yet)."""


class Depot:
    """Asks over a new connection each time: runs are rare, and links drop."""

    def __init__(self, url: AnyUrl, device: str, identity: Identity) -> None:
        self._host = str(url.host).strip("[]")
        self._port = url.port if url.port and url.port != 443 else DEFAULT_PORT  # noqa: PLR2004 - HTTPS's own
        self._device = device
        self._identity = identity

    def order(self) -> tuple[str, str] | None:
        """Return text and signature of the newest order whose ring is open, or None."""
        try:
            said = json.loads(self._ask("GET", f"/v1/devices/{self._device}/order"))
            return str(said["order"]), str(said["signature"])
        except Absent:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise DepotError(
                "the depot answers with no order: see `docker compose logs depot` on the cloud host"
            ) from error

    def report(self, said: dict[str, Any]) -> None:
        """Say how the device stands."""
        self._ask("PUT", f"/v1/devices/{self._device}/report", json.dumps(said).encode())

    def request(self, csr: bytes) -> None:
        """Ask for a new certificate."""
        self._ask("PUT", f"/v1/devices/{self._device}/request", csr)

    def certificate(self) -> bytes | None:
        """Return the newest certificate that was signed for the device, or None."""
        try:
            return self._ask("GET", f"/v1/devices/{self._device}/certificate")
        except Absent:
            return None

    @contextmanager
    def blob(self, sha256: str, start: int) -> Iterator[http.client.HTTPResponse]:
        """Open a blob from a byte on."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._open("GET", f"/v1/blobs/{sha256}", None, headers) as answer:
            yield answer

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        with self._open(method, path, body, {}) as answer:
            try:
                return answer.read(_MOST)
            except (OSError, http.client.HTTPException) as error:
                raise DepotError(
                    f"the link dropped while the depot answered ({error}): the next run tries again"
                ) from error

    @contextmanager
    def _open(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        try:
            context = self._identity.context()
        except IdentityError as error:
            raise DepotError(str(error)) from error
        connection = http.client.HTTPSConnection(
            self._host, self._port, context=context, timeout=ANSWER_WITHIN_S
        )
        try:
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise DepotError(in_words(error, f"{self._host}:{self._port}")) from error
            if answer.status == http.client.NOT_FOUND:
                raise Absent(_sentence(answer))
            if answer.status >= http.client.BAD_REQUEST:
                raise DepotError(f"the depot refuses ({answer.status}): {_sentence(answer)}")
            yield answer
        finally:
            connection.close()


def _sentence(answer: http.client.HTTPResponse) -> str:
    """Return the one sentence of an error."""
    try:
        text = answer.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return answer.reason
    try:
        said = json.loads(text)
    except ValueError:
        return text.strip() or answer.reason
    if isinstance(said, dict):
        said = next((value for value in said.values() if isinstance(value, str)), answer.reason)
    return str(said)


def in_words(error: Exception, address: str, now: datetime | None = None) -> str:
    """Say why a connection failed, and what helps."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
            clock = f"{now or datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            wrong = "is not valid yet" if error.verify_code == _NOT_YET_VALID else "has expired"
            return (
                f"the certificate of {address} {wrong} by this device's clock ({clock}): if the clock is "
                "wrong, let it reach a time server; or else run site.yml, which renews it"
            )
        return (
            f"{address} is not the depot of this fleet ({error.verify_message}): correct pull_depot, or give "
            "the cloud host that name (identity_names)"
        )
    if isinstance(error, ssl.SSLError) and "ALERT" in str(error).upper():
        return (
            f"{address} refuses this device's certificate ({error.reason}): it was revoked or has expired; "
            "enrol the device anew"
        )
    return (
        f"{address} cannot be reached ({error}): the next run tries again; "
        "if it stays so, see link, name and firewall"
    )
