"""The depot's story: a device asks what it shall run, fetches what it lacks of that, and says how it went."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from facefleet.depot import layout
from facefleet.depot.access import Access
from facefleet.depot.catalog import Catalog
from facefleet.depot.door import Door
from facefleet.depot.pace import Pace
from facefleet.depot.parts import Parts
from facefleet.depot.settings import DepotSettings
from facefleet.depot.store import AT_ONCE, Store
from facefleet.depot.web import application
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.health import Health
from facefleet.runtime.service import ServiceError
from facefleet.storage.trouble import UnreadableError

CONDITIONS = ("identity", "bucket", "web")
IDLE_MOST_S = 30.0
"""A connection on which nothing is asked; the first request has to come in that time too."""
LOOK_AT_BUCKET_EVERY_S = 10.0
STOP_WITHIN_S = 3.0
STOP_LOOK_S = 0.2

_log = logs.get("depot")


def run(settings: DepotSettings, health: Health, stop: threading.Event) -> None:
    """Serve until told to stop.

    Raises:
        ServiceError: when the port or the identity cannot be used.
    """
    with ThreadPoolExecutor(AT_ONCE, "s3") as pool:
        store = Store(settings)
        parts = Parts(
            store=store,
            catalog=Catalog(store),
            access=Access(settings.access_dir),
            pace=Pace(settings.strangers_burst, settings.strangers_per_s),
            downloads_most=settings.downloads_most,
            pool=pool,
            health=health,
        )
        asyncio.run(_serve(settings, parts, health, stop))


async def _serve(settings: DepotSettings, parts: Parts, health: Health, stop: threading.Event) -> None:
    # What a device said before counts: nobody is heard until that is known.
    if not await _learned(parts, stop):
        return
    runner = web.AppRunner(
        application(parts, settings.ca),
        access_log=None,
        keepalive_timeout=IDLE_MOST_S,
        shutdown_timeout=STOP_WITHIN_S,
        auto_decompress=False,
    )
    await runner.setup()
    server = runner.server
    if server is None:
        raise ServiceError("the web server did not come up: see its log")
    door = Door(settings.identity, server, lambda: len(server.connections), settings.connections_most)
    with door.opened(settings.address, settings.port) as listener:
        health.good("identity")
        health.good("web")
        await _until(stop, door.take(listener), door.renew(health), _follow(parts))
    await runner.cleanup()


async def _learned(parts: Parts, stop: threading.Event) -> bool:
    """Read what is in the bucket, once that can be read; return False when told to stop before."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            await parts.off(parts.catalog.read_standings, parts.pool.map)
            await parts.off(parts.catalog.read_orders, parts.pool.map)
        except UnreadableError as error:
            _log.error("cannot begin, trying again", reason=str(error))
            parts.health.bad("bucket", str(error))
            await _until(stop, asyncio.sleep(backoff.next_s()))
        else:
            parts.health.good("bucket")
            return True
    return False


async def _follow(parts: Parts) -> None:
    """Look whether the bucket can be used, until cancelled: nobody may ask for long."""
    while True:
        await asyncio.sleep(LOOK_AT_BUCKET_EVERY_S)
        try:
            await parts.off(parts.store.tag, layout.NEWS)
        except UnreadableError as error:
            parts.health.bad("bucket", str(error))
        else:
            parts.health.good("bucket")


async def _until(stop: threading.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Let them go on until one ends or we are told to stop; then end them all."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done: set[asyncio.Task[None]] = set()
        while not done and not stop.is_set():
            done, _ = await asyncio.wait(tasks, timeout=STOP_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
