"""Fetches blobs over a link that drops: each goes on where it stopped, and counts if its hash is right."""

import hashlib
import http.client
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from facefleet.puller.depot import Absent, Depot, DepotError
from facefleet.puller.order import Blob
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff

CHUNK = 16 * 1024
RETRY_FIRST_S, RETRY_MOST_S = 1.0, 30.0
ROOM_BESIDES = 256 * 1024 * 1024
"""What stays free on the disk, for the engine and for faces."""
_TWICE = 2
"""A layer lies here compressed and, unpacked, in the engine."""

_log = logs.get("fetch")


class FetchError(Exception):
    """What was needed did not come; the text says why. What came stays."""


class Store:
    """A folder of blobs, each named by its hash; what is not complete has another name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, blob: Blob) -> bool:
        """Return whether a blob is here."""
        return (self.folder / blob.sha256).exists()

    def partial(self, blob: Blob) -> Path:
        """Return where the part of a blob is that came."""
        return self.folder / f"{blob.sha256}.part"

    def came(self, blob: Blob) -> int:
        """Return how much of a blob is here."""
        if self.has(blob):
            return blob.size
        part = self.partial(blob)
        return part.stat().st_size if part.exists() else 0

    def keep_only(self, wanted: Iterable[Blob]) -> None:
        """Remove what nobody wants any more, so that the cache stays within what one order needs."""
        names = {name for blob in wanted for name in (blob.sha256, f"{blob.sha256}.part")}
        for file in self.folder.iterdir():
            if file.name not in names:
                file.unlink()


class Fetcher:
    """Fetches into a store. `rate` tells how many bytes may come in a second, 0 for any."""

    def __init__(
        self,
        depot: Depot,
        store: Store,
        rate: Callable[[], int],
        give_up_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._depot = depot
        self._store = store
        self._rate = rate
        self._give_up_s = give_up_s
        self._sleep = sleep

    def fetch(self, wanted: Iterable[Blob]) -> int:
        """Fetch what is not here, and return how many bytes came.

        Raises:
            FetchError: there is no room, the depot lacks a blob, or nothing came for too long.
        """
        lacking = [blob for blob in wanted if not self._store.has(blob)]
        room = sum(blob.size - self._store.came(blob) for blob in lacking) * (1 + _TWICE) + ROOM_BESIDES
        free = shutil.disk_usage(self._store.folder).free
        if lacking and room > free:
            raise FetchError(
                f"the disk has {free >> 20} MB left and this update wants {room >> 20}: see what fills it, "
                "`sudo du -xh / | sort -h | tail` and `docker system df` there"
            )
        return sum(self._one(blob) for blob in lacking)

    def _one(self, blob: Blob) -> int:
        store, before = self._store, self._store.came(blob)
        backoff = Backoff(RETRY_FIRST_S, RETRY_MOST_S)
        came_at = time.monotonic()
        while (start := store.came(blob)) < blob.size:
            trouble = self._go_on(blob, start)
            here = store.came(blob)
            if here > start:
                came_at = time.monotonic()
                backoff.reset()
            if not trouble:
                continue
            if time.monotonic() - came_at > self._give_up_s:
                raise FetchError(
                    f"{trouble}; {here:,} of {blob.size:,} bytes of a blob are here, the next run goes on"
                )
            _log.info("going on soon", blob=blob.sha256[:12], here=here, of=blob.size, reason=trouble)
            self._sleep(backoff.next_s())
        self._settle(blob)
        return blob.size - before

    def _go_on(self, blob: Blob, start: int) -> str:
        """Take what comes, and return why no more did; nothing when all is here."""
        part = self._store.partial(blob)
        try:
            with self._depot.blob(blob.sha256, start) as answer, part.open("ab") as file:
                if start and answer.status != http.client.PARTIAL_CONTENT:
                    file.truncate(0)  # it sends all again
                while chunk := answer.read1(CHUNK):
                    file.write(chunk)
                    if file.tell() > blob.size:
                        break
                    if allowed := self._rate():
                        self._sleep(len(chunk) / allowed)
        except Absent as error:
            raise FetchError(
                f"the depot has no blob {blob.sha256[:12]} of this order: promote again"
            ) from error
        except (DepotError, OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        return "" if part.stat().st_size >= blob.size else "the link dropped"

    def _settle(self, blob: Blob) -> None:
        """Let a blob that came count, if it is what was ordered."""
        part = self._store.partial(blob)
        part.touch()  # one of no bytes never came
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != blob.sha256:
            part.unlink()
            raise FetchError(
                f"the depot's blob {blob.sha256[:12]} is damaged: the next run fetches it anew; "
                "if it stays so, promote again"
            )
        part.rename(self._store.folder / blob.sha256)
