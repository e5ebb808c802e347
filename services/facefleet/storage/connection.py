"""One HTTP connection that is kept for the next request."""

import contextlib
import os
import socket
import ssl
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import botocore

from facefleet.runtime.service import ServiceError
from facefleet.storage.answer import Answer, BrokenAnswerError, read_answer

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
SLOWEST_BYTES_S = 100_000
"""What a link must carry, or the timeout ends each try of a large object."""
IDLE_MOST_S = 15.0
"""A firewall forgets idle connections without a word, and a request on one hangs until its timeout."""
JOIN_MOST_BYTES = 128 * 1024
"""Up to here a copy costs less than another system call."""

_ENDED = (BrokenAnswerError, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What comes of writing to, or reading from, a connection that the other side has closed."""


class ExchangeError(Exception):
    """No answer to a request: what became of it is not known."""


class Place(NamedTuple):
    """Where a bucket is reached."""

    host: str
    port: int
    tls: bool
    authority: str
    """The Host header."""
    path: str
    """What each object's path begins with, encoded, without a slash at its end."""


def place_of(endpoint: str, bucket: str, *, virtual: bool) -> Place:
    """Return where a bucket is at an endpoint's URL; a `virtual` one is part of the host's name."""
    url = urlsplit(endpoint)
    tls = url.scheme == "https"
    host = url.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    base = url.path.rstrip("/")
    if virtual:
        host, shown = f"{bucket}.{host}", f"{bucket}.{shown}"
    else:
        base += f"/{bucket}"
    usual = 443 if tls else 80
    port = url.port or usual
    return Place(host, port, tls, shown if port == usual else f"{shown}:{port}", base)


def trusted() -> ssl.SSLContext:
    """Return what tells right servers from wrong: AWS_CA_BUNDLE, the system's CAs, or else botocore's.

    Raises:
        ServiceError: AWS_CA_BUNDLE is of no use.
    """
    if given := os.environ.get("AWS_CA_BUNDLE"):
        try:
            return ssl.create_default_context(cafile=given)
        except OSError as error:  # SSLError is one
            reason = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ServiceError(f"AWS_CA_BUNDLE={given}: {reason}: correct the path or the file") from error
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=str(Path(botocore.__file__).with_name("cacert.pem")))


class Connection:
    """Connects when there is something to say, and again when the other side has gone. For one thread."""

    def __init__(self, place: Place, context: ssl.SSLContext | None) -> None:
        self._place = place
        self._context = context
        self._socket: socket.socket | None = None
        self._used = 0.0

    def exchange(self, head: bytes, body: bytes) -> Answer:
        """Send a request that may be sent twice, and return the answer.

        Raises:
            ExchangeError: no whole answer came; the text says why and names no secret.
        """
        if self._socket and time.monotonic() - self._used > IDLE_MOST_S:
            self.close()
        kept = self._socket is not None
        try:
            try:
                answer = self._attempt(head, body)
            except _ENDED as error:
                self.close()
                # The server had closed the connection before it read the request, as it may.
                if not kept or (isinstance(error, BrokenAnswerError) and error.begun):
                    raise
                answer = self._attempt(head, body)
        except (BrokenAnswerError, OSError) as error:
            self.close()
            raise ExchangeError(_in_words(error)) from error
        except BaseException:
            self.close()  # half an exchange must not be mistaken for the next one's
            raise
        if answer.lasting:
            self._used = time.monotonic()
        else:
            self.close()
        return answer

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _attempt(self, head: bytes, body: bytes) -> Answer:
        connection = self._socket = self._socket or self._connected()
        patience = ANSWER_TIMEOUT_S + len(body) / SLOWEST_BYTES_S
        connection.settimeout(patience)
        try:
            if len(body) <= JOIN_MOST_BYTES:
                connection.sendall(head + body)
            else:
                connection.sendall(head)
                connection.sendall(body)
        except ConnectionError as error:
            # A server that refuses a request may answer and close before it has read it all.
            with contextlib.suppress(OSError, BrokenAnswerError):
                return read_answer(connection.recv)._replace(lasting=False)
            raise error from None
        deadline = time.monotonic() + patience

        def receive(size: int) -> bytes:
            data = connection.recv(size)
            if time.monotonic() > deadline:
                raise TimeoutError
            return data

        return read_answer(receive)

    def _connected(self) -> socket.socket:
        place = self._place
        plain = socket.create_connection((place.host, place.port), timeout=CONNECT_TIMEOUT_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._context.wrap_socket(plain, server_hostname=place.host) if self._context else plain
        except BaseException:
            plain.close()
            raise


def _in_words(error: Exception) -> str:
    if isinstance(error, BrokenAnswerError):
        return f"no proper answer: {error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; name its CA's file in AWS_CA_BUNDLE"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
