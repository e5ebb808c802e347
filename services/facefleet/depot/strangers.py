"""What one may ask without a certificate: whom to trust, how to enrol; and with a secret, a certificate."""

from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from facefleet.depot import layout
from facefleet.depot.desk import CLOSED, DeskError, Enrolment, read_application, read_enrolment
from facefleet.depot.devices import PEM
from facefleet.depot.parts import Parts, body_of
from facefleet.depot.refusal import RefusedError
from facefleet.depot.signing import SigningError, key_in_certificate, key_in_request
from facefleet.depot.store import ChangedError, Document
from facefleet.runtime import logs
from facefleet.storage.trouble import AbsentError

SCRIPT = Path(__file__).with_name("enrol.sh")
SECRET = "X-Enrolment"  # noqa: S105 - a header's name

_log = logs.get("depot")


class Strangers:
    """The routes that are open."""

    def __init__(self, parts: Parts, ca: Path) -> None:
        """`ca` is what is trusted where nothing else was brought."""
        self._parts = parts
        self._ca = ca

    async def script(self, _request: web.Request) -> web.Response:
        """Tell how a device enrols."""
        return web.Response(body=SCRIPT.read_bytes(), content_type="text/x-shellscript", charset="utf-8")

    async def trust(self, _request: web.Request) -> web.Response:
        """Tell whose certificates the fleet trusts."""
        try:
            pem = (await self._parts.off(self._parts.store.read, layout.TRUST)).content
        except AbsentError:
            pem = self._ca.read_bytes()
        return web.Response(body=pem, content_type=PEM)

    async def apply(self, request: web.Request) -> web.Response:
        """Take the application of a device that has the secret; one only."""
        device = request.match_info["device"]
        now = datetime.now(UTC)
        document, enrolment = await self._admitted(request, device, now)
        try:
            application = read_application(await body_of(request))
            key_in_request(application.request, device)
        except (DeskError, SigningError) as error:
            raise RefusedError(400, f"this request is not signed: {error}") from error
        taken = enrolment.taking(application, now)
        if taken is not enrolment:
            content = taken.model_dump_json().encode()
            try:
                await self._parts.off(self._parts.store.replace, layout.enrolment(device), content, document)
            except ChangedError as error:
                raise RefusedError(503, "somebody else asks at this moment: ask again", again_s=1) from error
            _log.info("enrolment asked for", device=device, address=request.remote)
        return web.Response(status=204)

    async def certificate(self, request: web.Request) -> web.Response:
        """Tell the certificate that was signed for the application."""
        device = request.match_info["device"]
        _, enrolment = await self._admitted(request, device, datetime.now(UTC))
        pem = await self._signed(device, enrolment)
        if pem is None:
            raise RefusedError(404, f"no certificate is signed for {device} yet: ask again in a while")
        return web.Response(body=pem, content_type=PEM)

    async def _admitted(self, request: web.Request, device: str, now: datetime) -> tuple[Document, Enrolment]:
        shown = request.headers.get(SECRET, "")
        try:
            document = await self._parts.off(self._parts.store.read, layout.enrolment(device))
            enrolment = read_enrolment(document.content)
            enrolment.admit(shown, now)
        except (AbsentError, DeskError, RefusedError) as error:
            _log.warning("enrolment refused", device=device, address=request.remote)
            raise RefusedError(403, CLOSED) from error
        return document, enrolment

    async def _signed(self, device: str, enrolment: Enrolment) -> bytes | None:
        """Return its certificate if it is of the application's key: an earlier one of that name is not."""
        if enrolment.application is None:
            return None
        wanted = key_in_request(enrolment.application.request, device)
        try:
            pem = (await self._parts.off(self._parts.store.read, layout.certificate(device))).content
        except AbsentError:
            return None
        return pem if key_in_certificate(pem, device) == wanted else None
