"""The door: takes connections, with the certificate and the trust of this moment.

A context of TLS cannot forget an authority, so each change makes another; connections that are open stay. Who
comes may show a certificate; one that is shown must be sound.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from facefleet.depot import figures
from facefleet.runtime import logs
from facefleet.runtime.health import Health
from facefleet.runtime.identity import Identity, IdentityError
from facefleet.runtime.service import ServiceError

if TYPE_CHECKING:
    import ssl

LOOK_EVERY_S = 1.0
HANDSHAKE_S = 10.0
ACCEPT_AGAIN_S = 1.0
BACKLOG = 128

_log = logs.get("depot")


class Door:
    """One port. `protocol` makes what speaks HTTP; `present` says how many of those there are."""

    def __init__(
        self,
        identity: Identity,
        protocol: Callable[[], asyncio.Protocol],
        present: Callable[[], int],
        most: int,
    ) -> None:
        self._identity = identity
        self._protocol = protocol
        self._present = present
        self._most = most
        self._seen: tuple[bytes, ...] = ()
        self._context: ssl.SSLContext | None = None
        self._greeting: set[asyncio.Task[None]] = set()

    def opened(self, address: str, port: int) -> socket.socket:
        """Return the port, listening.

        Raises:
            ServiceError: it is taken, or there is no identity.
        """
        try:
            self._seen = self._files()
            self._context = self._identity.serving()
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            listener = socket.create_server((address, port), family=family, backlog=BACKLOG)
        except IdentityError as error:
            raise ServiceError(str(error)) from error
        except OSError as error:
            raise ServiceError(f"port {port} cannot be used: {error.strerror}: end who uses it") from error
        listener.setblocking(False)  # noqa: FBT003 - its only argument
        return listener

    async def take(self, listener: socket.socket) -> None:
        """Take whoever comes, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:
                _log.error("no connection can be taken", reason=error.strerror)
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            if self._present() + len(self._greeting) >= self._most:
                figures.TURNED_AWAY.labels("full").inc()
                connection.close()
                continue
            task = loop.create_task(self._greet(connection, address[0]))
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)

    async def renew(self, health: Health) -> None:
        """Follow the files of the identity, until cancelled; what is of no use changes nothing here."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                files = self._files()
                if files == self._seen:
                    continue
                self._context = self._identity.serving()
            except (IdentityError, OSError) as error:
                # The first time it may be the middle of a renewal.
                health.bad("identity", str(error))
            else:
                self._seen = files
                health.good("identity")
                _log.info("identity renewed", certificate=str(self._identity.certificate))

    def _files(self) -> tuple[bytes, ...]:
        identity = self._identity
        return tuple(file.read_bytes() for file in (identity.ca, identity.certificate, identity.key))

    async def _greet(self, connection: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are among them
            connection.close()
            figures.TURNED_AWAY.labels("handshake").inc()
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            _log.info("no handshake", address=address, reason=reason or type(error).__name__)
