"""Blobs go out piece by piece, at the pace of who takes them, and from where they broke off."""

import asyncio
from http import HTTPStatus

from aiohttp import web

from facefleet.depot import figures, layout
from facefleet.depot.parts import Parts
from facefleet.depot.ranges import UnsatisfiableError, span_of
from facefleet.depot.refusal import RefusedError
from facefleet.runtime import logs
from facefleet.storage.trouble import AbsentError, UnreadableError

PIECE_BYTES = 512 * 1024
"""Each is a request to S3 of its own: a slow device holds up no connection there."""
STALLED_AFTER_S = 120.0
"""A device that takes no piece in so long is gone."""

_log = logs.get("depot")


class Blobs:
    """The route of the blobs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._sending = 0

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Send a blob, or the part that is asked for."""
        digest = request.match_info["sha256"]
        if not layout.is_digest(digest):
            raise RefusedError(400, "a blob's name is its SHA-256, 64 hexadecimal digits in small letters")
        key = layout.blob(digest)
        try:
            size, tag = await self._parts.off(self._parts.store.size, key)
        except AbsentError as error:
            raise RefusedError(
                404, f"there is no blob {digest}, or no more: ask for the order again"
            ) from error
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{digest}"',
            "Content-Type": "application/octet-stream",
        }
        try:
            span = span_of(request.headers.get("Range"), size)
        except UnsatisfiableError:
            headers["Content-Range"] = f"bytes */{size}"
            return web.json_response(
                {"error": f"the blob has {size} bytes, and the range begins after them"},
                status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                headers={"Content-Range": headers["Content-Range"]},
            )
        if self._sending >= self._parts.downloads_most:
            raise RefusedError(503, "too many blobs are on their way: ask again in a while", again_s=30)
        if span.is_part:
            headers["Content-Range"] = f"bytes {span.first}-{span.end - 1}/{size}"
        response = web.StreamResponse(
            status=HTTPStatus.PARTIAL_CONTENT if span.is_part else HTTPStatus.OK, headers=headers
        )
        response.content_length = span.size
        self._sending += 1
        figures.DOWNLOADS.set(self._sending)
        try:
            await response.prepare(request)
            await self._send(response, key, tag, span.first, span.end)
            await response.write_eof()
        except (ConnectionError, TimeoutError, AbsentError, UnreadableError) as error:
            # Its length was told, so that who gets less knows; asking from there on goes on.
            figures.CUT_OFF.inc()
            _log.info("blob cut off", blob=digest, reason=str(error) or type(error).__name__)
            if request.transport:
                request.transport.abort()
        finally:
            self._sending -= 1
            figures.DOWNLOADS.set(self._sending)
        return response

    async def _send(self, response: web.StreamResponse, key: str, tag: str, first: int, end: int) -> None:
        for start in range(first, end, PIECE_BYTES):
            stop = min(start + PIECE_BYTES, end)
            piece = await self._parts.off(self._parts.store.piece, key, start, stop, tag)
            async with asyncio.timeout(STALLED_AFTER_S):
                await response.write(piece)
            figures.SENT_BYTES.inc(len(piece))
