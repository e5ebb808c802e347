"""What each answer carries and each request must: headers, a session, and proof that a form is ours."""

import hmac
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facefleet.gallery.people import People
from facefleet.gallery.sessions import Session, Sessions

FORM_MOST_BYTES = 4096
OPEN_PATHS = ("/static/", "/sign-in", "/healthy")
HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class FormError(Exception):
    """A form that is not ours, or damaged."""


class Guard:
    """Lets nobody past who is not signed in, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, sessions: Sessions, people: People, *, https: bool) -> None:
        self._app = app
        self._sessions = sessions
        self._people = people
        self._cookie = cookie_name(https=https)
        self._headers = HEADERS | ({"strict-transport-security": "max-age=31536000"} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        request = Request(scope)
        if not request.url.path.startswith(OPEN_PATHS):
            token = request.cookies.get(self._cookie, "")
            # It reads two files: not on the loop, which serves all others meanwhile.
            session = await run_in_threadpool(current, self._sessions, self._people, token)
            if session is None:
                await self._refusal(request)(scope, receive, with_headers)
                return
            scope.setdefault("state", {})["session"] = session
        await self._app(scope, receive, with_headers)

    @staticmethod
    def _refusal(request: Request) -> Response:
        wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        return RedirectResponse("/sign-in", 303) if wants_page else Response("sign in first", 401)


def current(sessions: Sessions, people: People, token: str) -> Session | None:
    """Return whose token it is, if that person may still come in with that password."""
    session = sessions.of(token) if token else None
    return session if session and session.stamp == people.stamp(session.person) else None


def cookie_name(*, https: bool) -> str:
    """Return the session cookie's name: with HTTPS one that no other site of the domain can set."""
    return "__Host-facefleet" if https else "facefleet"


async def form_of(request: Request, session: Session | None) -> dict[str, str]:
    """Read a form that was sent from one of our pages.

    Raises:
        FormError: it came from elsewhere, is too long, or lacks the session's token.
    """
    origin = request.headers.get("origin")
    if not origin or urlsplit(origin).netloc != request.headers.get("host"):
        raise FormError("This form was not sent from this page. Load it anew and try again.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MOST_BYTES:
            raise FormError("This form is too long.")
    fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if session and not hmac.compare_digest(fields.get("token", "").encode(), session.form_token.encode()):
        raise FormError("This form is not of your session. Load the page anew and try again.")
    return fields
