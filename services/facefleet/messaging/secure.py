"""Mutual TLS with a broker, and what its failures mean in words. Blocks: not for the loop's thread."""

import errno
import socket
import ssl
import time
from typing import NamedTuple

from facefleet.runtime.identity import REMEDY, Identity, IdentityError

HANDSHAKE_WITHIN_S = 10.0
OBJECTION_WITHIN_S = 3.0
"""In TLS 1.3 our handshake is done before the broker has looked at our certificate."""

_NOT_YET_VALID, _EXPIRED = 9, 10
_NOT_OUR_CA = {2, 7, 18, 19, 20, 21, 30}
_OTHER_NAME = {62, 64}
"""X509_verify_cert_error_string(3)."""

_REFUSALS = (
    ("CERTIFICATE_REQUIRED", "it asks for a certificate", f"give us one: {REMEDY}"),
    ("CERTIFICATE_REVOKED", "it is revoked", "run playbooks/readmit.yml to let this host in again"),
    ("CERTIFICATE_EXPIRED", "it has expired, or the broker's CRL has", f"{REMEDY}; see both clocks"),
    ("UNKNOWN_CA", "it is not signed by the CA that the broker trusts", REMEDY),
    ("BAD_CERTIFICATE", "it is not valid yet, or damaged", f"see both clocks, then {REMEDY}"),
    ("UNSUPPORTED_CERTIFICATE", "it is not made for clients", REMEDY),
    ("CERTIFICATE_UNKNOWN", "it does not say why", "see the broker's log"),
    ("DECRYPT_ERROR", "it is not signed by the CA that the broker trusts", REMEDY),
    ("ACCESS_DENIED", "it does not say why", "see the broker's log"),
)
"""What a TLS alert's name ends with, what it means, and what to do. Source: RFC 8446, section 6.2."""

_ITS = "run site.yml for the broker's host"
_BOTH = "run site.yml for both hosts"


class Trouble(NamedTuple):
    """Why there is no connection, and what to do if that is special."""

    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return both."""
        return f"{self.reason}: {self.remedy}" if self.remedy else self.reason


def secured(plain: socket.socket, identity: Identity, host: str) -> ssl.SSLSocket:
    """Shake hands over a new connection, within `HANDSHAKE_WITHIN_S`; takes over the socket.

    Raises:
        IdentityError: our own files are to blame.
        OSError: the connection or the broker; `in_words` says what it means.
    """
    try:
        context = identity.context()
        plain.settimeout(HANDSHAKE_WITHIN_S)
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def accepted(connection: ssl.SSLSocket) -> None:
    """Wait whether the broker objects to our certificate; it says nothing while it waits for CONNECT.

    Raises:
        OSError: it does, or hung up; the connection is closed then.
    """
    connection.settimeout(OBJECTION_WITHIN_S)
    try:
        if not connection.recv(1):
            raise ConnectionResetError(errno.ECONNRESET, "it hung up")
    except TimeoutError:
        return
    except OSError:
        connection.close()
        raise


def in_words(error: Exception, host: str) -> Trouble:
    """Return what a failed connection or handshake means."""
    if isinstance(error, IdentityError):
        return Trouble(error.reason, error.remedy)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_the_brokers_certificate(error, host)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, TimeoutError):
        return Trouble("no answer in time")
    if isinstance(error, UnicodeError):
        return Trouble(f"{host!r} is no host's name", "correct the broker's address")
    return Trouble((isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__)


def _of_the_brokers_certificate(error: ssl.SSLCertVerificationError, host: str) -> Trouble:
    code = error.verify_code
    if code in _NOT_OUR_CA:
        return Trouble("its certificate is not signed by our CA", "is it our broker? Then " + _BOTH)
    if code in _OTHER_NAME:
        return Trouble(
            f"its certificate does not name {host}",
            "correct the broker's address, or have its certificate name it",
        )
    if code == _EXPIRED:
        return Trouble(f"its certificate has expired{_our_time()}", "see our clock, then " + _ITS)
    if code == _NOT_YET_VALID:
        return Trouble(f"its certificate is not valid yet{_our_time()}", "see our clock and the broker's")
    return Trouble(f"its certificate is not good, {error.verify_message}", _ITS)


def _of_tls(error: ssl.SSLError) -> Trouble:
    if isinstance(error, ssl.SSLEOFError):
        return Trouble("it hung up in the TLS handshake", "is that its TLS port? Then see its log")
    said = f"{error.reason or ''} {error}".upper().replace(" ", "_")
    if "ALERT" in said:
        for name, meaning, remedy in _REFUSALS:
            if name in said:
                return Trouble(f"the broker refused our certificate, {meaning}", remedy)
    if "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER_FAILURE" in said:
        return Trouble("it speaks no TLS", "correct the port, or say mqtt:// instead of mqtts://")
    if "PROTOCOL_VERSION" in said:
        return Trouble("it speaks no TLS 1.3", "update the broker")
    return Trouble(f"TLS failed, {error.reason or error}", "see the broker's log")


def _our_time() -> str:
    return time.strftime(" (here it is %Y-%m-%d %H:%M UTC)", time.gmtime())
