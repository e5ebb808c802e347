"""Who asks, as the certificate of the connection says."""

import ssl
import time
from typing import NamedTuple

from aiohttp import web

from facefleet.depot.access import Access, UnknownError
from facefleet.depot.refusal import RefusedError

SHOW = "show the certificate of a device of this fleet"


class Caller(NamedTuple):
    """A certificate that was shown; that it is of the fleet the handshake has seen."""

    name: str
    serial: int
    ends: float


def caller_of(request: web.Request) -> Caller | None:
    """Return whose certificate was shown, if any was."""
    shown = request.transport.get_extra_info("peercert") if request.transport else None
    if not shown:
        return None
    names = [value for part in shown["subject"] for kind, value in part if kind == "commonName"]
    name = names[0] if len(names) == 1 else ""
    return Caller(name, int(shown["serialNumber"], 16), ssl.cert_time_to_seconds(shown["notAfter"]))


def admit(caller: Caller | None, access: Access, device: str | None) -> Caller:
    """Let in a device of the fleet, and to what is one device's that device only.

    A connection may be older than a revocation, or than its certificate is good for.

    Raises:
        RefusedError: somebody else asks.
    """
    if caller is None:
        raise RefusedError(401, SHOW)
    try:
        objection = access.objection(caller.name, caller.serial)
    except UnknownError as error:
        raise RefusedError(503, f"it is not known who was revoked: {error}", again_s=60) from error
    if objection:
        raise RefusedError(403, objection)
    if caller.ends < time.time():
        raise RefusedError(401, f"the certificate of {caller.name} is over: {SHOW}")
    if device is not None and device != caller.name:
        raise RefusedError(403, f"this is {device}'s, and the certificate is {caller.name}'s")
    return caller
