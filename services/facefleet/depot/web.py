"""The routes, and what is the same for all: who may pass, how often, and how a no is said."""

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

from facefleet.depot import figures, layout
from facefleet.depot.access import UnknownError
from facefleet.depot.blobs import Blobs
from facefleet.depot.callers import admit, caller_of
from facefleet.depot.devices import Devices
from facefleet.depot.parts import Parts
from facefleet.depot.refusal import RefusedError
from facefleet.depot.strangers import Strangers
from facefleet.runtime import logs
from facefleet.storage.trouble import UnreadableError

BODY_MOST_BYTES = 64 * 1024
S3_AGAIN_S = 10

_log = logs.get("depot")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class For(Enum):
    """Who may use a route."""

    ANYBODY = auto()
    DEVICES = auto()
    ITS_OWNER = auto()


def application(parts: Parts, ca: Path) -> web.Application:
    """Return all routes."""
    blobs, devices, strangers = Blobs(parts), Devices(parts), Strangers(parts, ca)
    app = web.Application(client_max_size=BODY_MOST_BYTES, middlewares=[_Manners(parts).middleware])
    app.on_response_prepare.append(_anonymous)
    for method, path, who, handler in (
        (hdrs.METH_GET, "/v1/blobs/{sha256}", For.DEVICES, blobs.get),
        (hdrs.METH_GET, "/v1/devices/{device}/order", For.ITS_OWNER, devices.order),
        (hdrs.METH_PUT, "/v1/devices/{device}/report", For.ITS_OWNER, devices.report),
        (hdrs.METH_PUT, "/v1/devices/{device}/request", For.ITS_OWNER, devices.ask),
        (hdrs.METH_GET, "/v1/devices/{device}/certificate", For.ITS_OWNER, devices.certificate),
        (hdrs.METH_GET, "/v1/trust", For.ANYBODY, strangers.trust),
        (hdrs.METH_GET, "/enrol.sh", For.ANYBODY, strangers.script),
        (hdrs.METH_PUT, "/v1/enrolment/{device}", For.ANYBODY, strangers.apply),
        (hdrs.METH_GET, "/v1/enrolment/{device}/certificate", For.ANYBODY, strangers.certificate),
    ):
        app.router.add_route(method, path, _guarded(parts, who, handler))
    return app


def _guarded(parts: Parts, who: For, handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        device = request.match_info.get("device")
        if device is not None and not layout.is_device(device):
            raise RefusedError(400, f"{device[:64]!r} is no name of a device: small letters, digits, dashes")
        if who is not For.ANYBODY:
            admit(caller_of(request), parts.access, device if who is For.ITS_OWNER else None)
        return await handler(request)

    return guarded


async def _anonymous(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = "facefleet"  # and not which library of which version


class _Manners:
    """Around each request."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve it, count it, and say what was wrong in one sentence of JSON."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        response = await self._answer(request, handler)
        figures.REQUESTS.labels(f"{request.method} {route}" if resource else route, response.status).inc()
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if caller_of(request) is None:
                self._slow(request.remote or "")
            return await handler(request)
        except RefusedError as error:
            return _no(error.status, str(error), error.again_s)
        except (UnreadableError, UnknownError) as error:
            if isinstance(error, UnreadableError):
                self._parts.health.bad("bucket", str(error))
            _log.error("cannot serve", path=request.path, reason=str(error))
            return _no(503, "the depot cannot read its store now: ask again in a while", S3_AGAIN_S)
        except web.HTTPException as error:
            return _no(error.status, _SAID.get(error.status, error.reason))
        except TimeoutError:
            return _no(408, "the request did not come in time")

    def _slow(self, address: str) -> None:
        if wait := self._parts.pace.wait_s(address):
            figures.TURNED_AWAY.labels("pace").inc()
            raise RefusedError(429, "too many requests without a certificate", again_s=int(wait) + 1)


_SAID = {
    404: "there is nothing of that name here",
    405: "that cannot be done with this",
    413: f"a request may have {BODY_MOST_BYTES} bytes",
}


def _no(status: int, sentence: str, again_s: int | None = None) -> web.Response:
    headers = {hdrs.RETRY_AFTER: str(again_s)} if again_s else {}
    if status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT}:
        headers[hdrs.CONNECTION] = "close"
    return web.json_response({"error": sentence}, status=status, headers=headers)
