"""What the routes share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from aiohttp import web

from facefleet.depot.access import Access
from facefleet.depot.catalog import Catalog
from facefleet.depot.pace import Pace
from facefleet.depot.store import Store
from facefleet.runtime.health import Health

BODY_WITHIN_S = 30.0

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parts:
    """All that answers need."""

    store: Store
    catalog: Catalog
    access: Access
    pace: Pace
    downloads_most: int
    pool: ThreadPoolExecutor
    """Talks to S3, so that nobody waits for that but who asked."""
    health: Health
    """Is told whether the bucket can be used."""

    async def off(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that talks to S3."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, lambda: call(*args, **kwargs))


async def body_of(request: web.Request) -> bytes:
    """Return the body; its size has a bound, and so has the patience."""
    async with asyncio.timeout(BODY_WITHIN_S):
        return await request.read()
