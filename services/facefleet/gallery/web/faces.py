"""The pages of faces: all, one, their pictures, and the stream of new ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from facefleet.gallery.face import Face, face_of
from facefleet.gallery.pictures import UnshowableError
from facefleet.gallery.timeline import bars, hours_of
from facefleet.gallery.visits import APART_MS, Visit, grouped, visit_id
from facefleet.gallery.web.guard import cookie_name, current
from facefleet.gallery.web.parts import Parts
from facefleet.gallery.web.query import BadQueryError, Query, read_query
from facefleet.storage.trouble import AbsentError, UnreadableError

FACES_A_PAGE = 60
PULSE_S = 15.0
PICTURE_KEPT_S = 3600
TRAITS_WITHIN_S = 0.2
"""A page waits so long for what groups its faces; the next one has it."""

_PICTURE = {"cache-control": f"private, max-age={PICTURE_KEPT_S}"}

Handler = Callable[["FacePages", Request], Awaitable[Response]]


def _said(handler: Handler) -> Handler:
    """Say in words what went wrong."""

    @wraps(handler)
    async def answer(self: "FacePages", request: Request) -> Response:
        try:
            return await handler(self, request)
        except BadQueryError as error:
            return self.trouble(request, str(error), 400)
        except AbsentError:
            return self.trouble(request, "This face is not there, or no more.", 404)
        except UnreadableError as error:
            return self.trouble(request, str(error), 503)
        except UnshowableError as error:
            return self.trouble(request, f"This object is no picture: {error}", 415)

    return answer


class FacePages:
    """What one sees of the bucket."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @_said
    async def faces(self, request: Request) -> Response:
        """Show the newest faces, by visit, from some moment back."""
        query = read_query(request.query_params)
        return self._page(request, "faces.html", await run_in_threadpool(self._faces, query))

    @_said
    async def face(self, request: Request) -> Response:
        """Show one face large, with all that is known of it."""
        return self._page(request, "face.html", await run_in_threadpool(self._face, self._named(request)))

    @_said
    async def image(self, request: Request) -> Response:
        """Return a face's picture as it is stored."""
        face = self._named(request)
        try:
            data, content_type = await run_in_threadpool(self._parts.bucket.image, face)
        except AbsentError:
            await run_in_threadpool(self._gone, face)
            raise
        return Response(data, media_type=content_type, headers=_PICTURE)

    @_said
    async def thumbnail(self, request: Request) -> Response:
        """Return a small picture, of faces that are in the index only."""
        face = self._named(request)
        try:
            small = await run_in_threadpool(self._thumbnail, face)
        except AbsentError:
            await run_in_threadpool(self._gone, face)
            raise
        return Response(small, media_type="image/jpeg", headers=_PICTURE)

    @_said
    async def live(self, request: Request) -> Response:
        """Stream the cards of new faces, as server-sent events."""
        query = read_query(request.query_params)
        return StreamingResponse(self._stream(request, query), media_type="text/event-stream")

    def trouble(self, request: Request, text: str, status: int) -> Response:
        """Say what is wrong."""
        return self._page(request, "trouble.html", {"text": text}, status)

    # --- on a worker's thread ---

    def _faces(self, query: Query) -> dict[str, Any]:
        index, mark = self._parts.index, self._parts.watchers.mark  # what comes while this is read is told of
        known = index.cameras()
        cameras = query.cameras(known)
        faces = index.newest(cameras, query.span, query.before, FACES_A_PAGE + 1)
        more = len(faces) > FACES_A_PAGE
        faces = faces[:FACES_A_PAGE]
        shown = hours_of(query.day, datetime.now(UTC))
        return {
            "query": query,
            "mark": mark,
            "devices": sorted({camera.device for camera in known}),
            "names": sorted({camera.name for camera in known if query.device in ("", camera.device)}),
            "bars": bars(index.per_hour(cameras, shown), shown),
            "visits": grouped(self._with_traits(faces)),
            "older": query.older_than(faces[-1]) if more else "",
            "holds": not index.empty,
            "trouble": self._parts.crawler.trouble,
        }

    def _with_traits(self, faces: list[Face]) -> list[Face]:
        """Read what groups the faces that we were not told of, unless that takes too long."""
        unread = [face for face in faces if face.traits is None]
        if not unread:
            return faces
        try:
            filled = {face.key: face for face in self._parts.crawler.fill_in_within(unread, TRAITS_WITHIN_S)}
        except UnreadableError:
            return faces
        return [filled.get(face.key, face) for face in faces]

    def _face(self, face: Face) -> dict[str, Any]:
        index = self._parts.index
        try:
            attributes = self._parts.bucket.metadata(face)
        except AbsentError:
            self._gone(face)
            raise
        noted = index.find(face) or face
        before, after = index.neighbours(face)
        around = index.around(face, APART_MS)
        return {
            "face": noted,
            "attributes": sorted(attributes.items()),
            "visit": self._visit_of(noted, around),
            "before": before,
            "after": after,
            "near": sorted(around, key=lambda other: abs(other.time_ms - face.time_ms))[1:13],
        }

    @staticmethod
    def _visit_of(face: Face, around: list[Face]) -> Visit:
        for visit in grouped(around):
            if any(other.name == face.name for other in visit.faces):
                return visit
        return Visit([face])

    def _thumbnail(self, face: Face) -> bytes:
        if self._parts.index.find(face) is None:
            raise AbsentError  # kept pictures of what was deleted are not shown
        return self._parts.thumbnails.of(face)

    def _gone(self, face: Face) -> None:
        self._parts.index.forget(face)
        self._parts.thumbnails.forget(face)

    def _card(self, face: Face) -> str:
        visit = self._visit_of(face, self._parts.index.around(face, APART_MS))
        card = self._parts.templates.get_template("card.html").render(visit=visit)
        return json.dumps({"visit": visit_id(visit), "card": card})

    # --- on the loop ---

    async def _stream(self, request: Request, query: Query) -> AsyncIterator[str]:
        parts = self._parts
        # A browser that comes back names the last event that it had.
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        queue = parts.watchers.join(since)
        token = request.cookies.get(cookie_name(https=parts.https), "")
        try:
            yield ": welcome\n\n"
            while await run_in_threadpool(current, parts.sessions, parts.people, token):
                try:
                    told = await asyncio.wait_for(queue.get(), PULSE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if told is None:
                    return
                if query.takes(told.face.camera):
                    card = await run_in_threadpool(self._card, told.face)
                    yield f"id: {told.mark}\nevent: face\ndata: {card}\n\n"
        finally:
            parts.watchers.leave(queue)

    @staticmethod
    def _named(request: Request) -> Face:
        face = face_of(request.path_params["key"])
        if face is None:
            raise AbsentError
        return face

    def _page(self, request: Request, name: str, content: dict[str, Any], status: int = 200) -> Response:
        return self._parts.templates.TemplateResponse(
            request, name, content | {"session": request.state.session}, status
        )
