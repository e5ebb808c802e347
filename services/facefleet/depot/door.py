"""The door: takes connections, with the certificate and the trust of this moment.

A context of TLS cannot forget an authority, so each change makes another; connections that are open stay. Who
comes may show a certificate; one that is shown must be sound. Who shows none, or none yet, does not get the
room of those who do.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from facefleet.depot import figures
from facefleet.depot.addresses import owner
from facefleet.depot.room import Bounds, Room
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
GREETINGS = Bounds(all=128, of_one=32)
"""Handshakes at once: many devices may stand behind one address, but none takes long."""
STRANGERS = Bounds(all=64, of_one=8)
"""Connections without a certificate: devices that enrol, a few at a time."""

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
        self._tasks: set[asyncio.Task[None]] = set()
        self._greetings = Room(GREETINGS)
        self._strangers = Room(STRANGERS)
        self._inside: dict[asyncio.Transport, str] = {}
        """The strangers' connections, and whose they are."""

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
            host = owner(address[0])
            full = self._present() + self._greetings.present >= self._most
            if full or not self._greetings.enter(host):
                figures.TURNED_AWAY.labels("full").inc()
                connection.close()
                continue
            task = loop.create_task(self._receive(connection, host))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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

    async def _receive(self, connection: socket.socket, host: str) -> None:
        """Greet one who came, and let a stranger in if there is room for one more."""
        try:
            transport = await self._greet(connection, host)
        finally:
            self._greetings.leave(host)
        if transport is None or transport.get_extra_info("peercert"):
            return
        for gone in [each for each in self._inside if each.is_closing()]:
            self._strangers.leave(self._inside.pop(gone))
        if self._strangers.enter(host):
            self._inside[transport] = host
        else:
            figures.TURNED_AWAY.labels("strangers").inc()
            transport.abort()

    async def _greet(self, connection: socket.socket, address: str) -> asyncio.Transport | None:
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are among them
            connection.close()
            figures.TURNED_AWAY.labels("handshake").inc()
            reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            _log.info("no handshake", address=address, reason=reason or type(error).__name__)
            return None
        return transport
