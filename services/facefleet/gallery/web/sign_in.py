"""Signing in and out."""

import math

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from facefleet.gallery.people import NAME, PeopleError
from facefleet.gallery.web.guard import FormError, cookie_name, form_of
from facefleet.gallery.web.parts import Parts
from facefleet.runtime import logs

WRONG = "That name and password do not fit."
NOBODY = "Nobody may sign in yet: run playbooks/gallery_user.yml."

_log = logs.get("gallery")


class SignIn:
    """The door."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def page(self, request: Request) -> Response:
        """Show the form."""
        try:
            hint = "" if await run_in_threadpool(self._parts.people.known) else NOBODY
        except PeopleError as error:
            hint = str(error)
        return self._form(request, hint, 200)

    async def enter(self, request: Request) -> Response:
        """Take name and password; each wrong one beyond a few makes the next wait longer."""
        parts = self._parts
        try:
            form = await form_of(request, None)
        except FormError as error:
            return self._form(request, str(error), 403)
        name, password = form.get("name", ""), form.get("password", "")
        whose = (name, request.client.host if request.client else "")
        wait_s = parts.throttle.wait_s(*whose)
        if wait_s:
            _log.warning("sign-in refused: too many wrong passwords", person=name[:64], seconds=round(wait_s))
            answer = self._form(
                request, f"Too many wrong passwords. Try again in {math.ceil(wait_s)} seconds.", 429
            )
            answer.headers["retry-after"] = str(math.ceil(wait_s))
            return answer
        try:
            fits = bool(NAME.fullmatch(name)) and await run_in_threadpool(parts.people.right, name, password)
        except PeopleError as error:
            return self._form(request, str(error), 503)
        if not fits:
            parts.throttle.failed(*whose)
            _log.warning("wrong password", person=name[:64], address=whose[1])
            return self._form(request, WRONG, 403)
        parts.throttle.passed(*whose)
        _log.info("signed in", person=name, address=whose[1])
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            cookie_name(https=parts.https),
            await run_in_threadpool(parts.sessions.begin, name, parts.people.stamp(name)),
            max_age=round(parts.session_s),
            secure=parts.https,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session."""
        try:
            await form_of(request, request.state.session)
        except FormError as error:
            return Response(str(error), 403)
        name = cookie_name(https=self._parts.https)
        await run_in_threadpool(self._parts.sessions.end, request.cookies.get(name, ""))
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(name, secure=self._parts.https, httponly=True, samesite="strict")
        return answer

    def _form(self, request: Request, hint: str, status: int) -> Response:
        return self._parts.templates.TemplateResponse(request, "sign_in.html", {"hint": hint}, status)
