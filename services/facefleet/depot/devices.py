"""What a device asks of its own: its order, its certificate; and what it says: how it went, what to sign."""

import asyncio
from datetime import UTC, datetime, timedelta

from aiohttp import web

from facefleet.depot import figures, layout
from facefleet.depot.asked import Asked
from facefleet.depot.layout import OrderPlace
from facefleet.depot.parts import Parts, body_of
from facefleet.depot.refusal import RefusedError
from facefleet.depot.report import ReportError, Standing, first_word, read_report
from facefleet.depot.signing import SigningError, key_in_certificate, key_in_request
from facefleet.runtime import logs
from facefleet.storage.trouble import AbsentError

WRITE_AGAIN_AFTER = timedelta(minutes=10)
"""A device that says the same again is written down no more often."""
LOOK_AGAIN_AFTER_S = 0.5
"""How often the bucket is asked whether there is news; who asks in between is answered from what is known."""
LOOK_WITHIN_S = 2.0
ALL_AGAIN_AFTER_S = 600.0
"""The same without being told of news, in case that who brought some was cut off before it said so."""
PEM = "application/x-pem-file"

_log = logs.get("depot")


class Devices:
    """The routes of one device each."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._looking: asyncio.Task[None] | None = None
        self._looked = self._read_all = float("-inf")
        self._news = ""
        self._written: dict[str, datetime] = {}

    async def look(self) -> None:
        """Read the orders that came since, if any did; what takes long is not waited for."""
        if self._looking is None and asyncio.get_running_loop().time() - self._looked > LOOK_AGAIN_AFTER_S:
            self._looking = asyncio.create_task(self._look())
        if self._looking:
            # Until they are all read, what was known before is the answer.
            done, _ = await asyncio.wait({self._looking}, timeout=LOOK_WITHIN_S)
            for task in done:
                task.result()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            # Before the orders, so that what comes while they are read is news the next time.
            news = await self._parts.off(self._parts.store.tag, layout.NEWS)
            if news != self._news or loop.time() - self._read_all > ALL_AGAIN_AFTER_S:
                await self._parts.off(self._parts.catalog.read_orders, self._parts.pool.map)
                self._news = news
                self._read_all = loop.time()
        finally:
            self._looked = loop.time()
            self._looking = None

    async def order(self, request: web.Request) -> web.Response:
        """Tell the newest order of a device that it may have."""
        device = request.match_info["device"]
        await self.look()
        names = self._parts.access.names()
        order = self._parts.catalog.open_order(device, names, datetime.now(UTC))
        if order is None:
            raise RefusedError(404, f"there is nothing that {device} may run yet")
        place = OrderPlace(device, order.serial)
        try:
            text = await self._parts.off(self._parts.store.read, place.text)
            signature = await self._parts.off(self._parts.store.read, place.signature)
        except AbsentError as error:
            raise RefusedError(503, "the order went a moment ago: ask again", again_s=5) from error
        return web.json_response(
            {"order": text.content.decode(), "signature": signature.content.decode().strip()},
            headers={"Cache-Control": "no-store"},
        )

    async def report(self, request: web.Request) -> web.Response:
        """Take what a device says of its updates."""
        device = request.match_info["device"]
        try:
            report = read_report(await body_of(request))
        except ReportError as error:
            raise RefusedError(400, f"this is no report: {error}") from error
        now = datetime.now(UTC)
        before = self._parts.catalog.standings.get(device)
        standing = before.after(report, now) if before else first_word(report, now)
        is_news = before is None or standing.says_more_than(before)
        if is_news or now - self._written.get(device, before.heard if before else now) > WRITE_AGAIN_AFTER:
            content = standing.model_dump_json().encode()
            await self._parts.off(self._parts.store.write, layout.report(device), content)
            self._written[device] = now
        self._note(device, standing, is_news=is_news)
        return web.Response(status=204)

    async def ask(self, request: web.Request) -> web.Response:
        """Take a signing request for the device's next certificate."""
        device = request.match_info["device"]
        pem = (await body_of(request)).decode("ascii", errors="replace")
        try:
            key = key_in_request(pem, device)
        except SigningError as error:
            raise RefusedError(400, f"this request is not signed: {error}") from error
        if await self._key_signed(device) != key:
            content = Asked(request=pem, heard=datetime.now(UTC)).model_dump_json().encode()
            await self._parts.off(self._parts.store.write, layout.request(device), content)
            _log.info("certificate asked for", device=device)
        return web.Response(status=204)

    async def certificate(self, request: web.Request) -> web.Response:
        """Tell the device's newest certificate, once what it asked for is signed."""
        device = request.match_info["device"]
        try:
            await self._parts.off(self._parts.store.size, layout.request(device))
        except AbsentError:
            pem = await self._signed(device)
        else:
            pem = None
        if pem is None:
            raise RefusedError(404, f"no certificate is signed for {device} yet")
        return web.Response(body=pem, content_type=PEM)

    async def _signed(self, device: str) -> bytes | None:
        try:
            return (await self._parts.off(self._parts.store.read, layout.certificate(device))).content
        except AbsentError:
            return None

    async def _key_signed(self, device: str) -> bytes | None:
        pem = await self._signed(device)
        return key_in_certificate(pem, device) if pem else None

    def _note(self, device: str, standing: Standing, *, is_news: bool) -> None:
        self._parts.catalog.stands(device, standing)
        report = standing.report
        figures.REPORTS.labels(report.state).inc()
        if is_news:
            _log.info("report", device=device, **report.model_dump(exclude={"said"}))
