"""The crawler's story: what is in the bucket comes into the index, the newest days first; what is gone goes.

New faces are told by the processors (`live`); this finds those from before and those that were missed, and
notices what the lifecycle or an operator deleted.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from facefleet.gallery.bucket import AT_ONCE, Bucket
from facefleet.gallery.face import Face, face_of
from facefleet.gallery.index import Index
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.storage.faces import FACES, Camera
from facefleet.storage.trouble import AbsentError, UnreadableError

RECENT_DAYS = 2
RECENT_EVERY_S = 300.0
WHOLE_EVERY_S = 6 * 3600.0
TRAITS_AT_ONCE = 200
TELL_EVERY = 100_000
_FIRST_NAME, _LAST_NAME = "", "\x7f"

_log = logs.get("gallery")


class Crawler:
    """Keeps the index true to the bucket."""

    def __init__(self, bucket: Bucket, index: Index) -> None:
        self._bucket = bucket
        self._index = index
        self.trouble = ""
        """Why the bucket cannot be read, with the remedy; empty when it can."""
        self._seen = 0
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="traits")

    def run(self, stop: threading.Event) -> None:
        """Go through the bucket again and again until told to stop."""
        backoff = Backoff(most_s=60.0)
        whole_at = float("-inf")
        while not stop.is_set():
            whole = time.monotonic() - whole_at >= WHOLE_EVERY_S
            try:
                self.crawl(stop, whole=whole)
                self.read_traits(stop)
            except UnreadableError as error:
                self.trouble = str(error)
                wait_s = backoff.next_s()
                _log.warning("bucket not read, trying again", reason=str(error), seconds=round(wait_s, 1))
                stop.wait(wait_s)
                continue
            backoff.reset()
            whole_at = time.monotonic() if whole else whole_at
            stop.wait(RECENT_EVERY_S)
        self._pool.shutdown(cancel_futures=True)
        self._index.close()

    def crawl(self, stop: threading.Event, *, whole: bool) -> None:
        """Bring days up to date, the newest of all cameras first: all, or the last ones only.

        Raises:
            UnreadableError: the bucket cannot be read.
        """
        begun = time.monotonic()
        self._seen = 0
        known = self._days()
        self.trouble = ""
        newest = sorted({day for _, day in known}, reverse=True)
        for day in newest if whole else newest[:RECENT_DAYS]:
            for camera in [camera for camera, its_day in known if its_day == day]:
                if stop.is_set():
                    return
                self._crawl_day(camera, day)
        if whole:
            self._sweep_days(known)
            _log.info("bucket read", faces=self._seen, seconds=round(time.monotonic() - begun, 1))

    def read_traits(self, stop: threading.Event) -> None:
        """Read the metadata of the newest faces that nobody told us of.

        Raises:
            UnreadableError: the bucket cannot be read.
        """
        unread = self._index.without_traits(TRAITS_AT_ONCE)
        if not stop.is_set():
            self.fill_in(unread)

    def fill_in(self, faces: list[Face]) -> None:
        """Note the traits of faces, and forget those that are not there any more.

        Raises:
            UnreadableError: the bucket cannot be read.
        """
        self._note([self._pool.submit(self._filled, face) for face in faces])

    def fill_in_within(self, faces: list[Face], seconds: float) -> list[Face]:
        """Return those whose traits could be read in so much time; the others' are noted later.

        Raises:
            UnreadableError: the bucket cannot be read.
        """
        reads = [self._pool.submit(self._filled, face) for face in faces]
        done, late = wait(reads, seconds)
        for read in late:
            read.cancel()
        return self._note(done)

    def _note(self, reads: Iterable["Future[tuple[Face, bool]]"]) -> list[Face]:
        results = [read.result() for read in reads]
        for face, there in results:
            if not there:
                self._index.forget(face)
        found = [face for face, there in results if there]
        self._index.add(found)
        return found

    def _filled(self, face: Face) -> tuple[Face, bool]:
        try:
            return face._replace(traits=self._bucket.traits(face)), True
        except AbsentError:
            return face, False

    def _days(self) -> list[tuple[Camera, str]]:
        """Return each camera's days, as `yyyy/mm/dd`."""
        return [(camera, day) for camera in self._cameras() for day in self._days_of(camera)]

    def _cameras(self) -> Iterator[Camera]:
        for device in self._bucket.folders(FACES):
            for name in self._bucket.folders(f"{FACES}{device}/"):
                yield Camera(device, name)

    def _days_of(self, camera: Camera) -> Iterator[str]:
        top = f"{FACES}{camera.device}/{camera.name}/"
        for year in self._bucket.folders(top):
            for month in self._bucket.folders(f"{top}{year}/"):
                for day in self._bucket.folders(f"{top}{year}/{month}/"):
                    yield f"{year}/{month}/{day}"

    def _crawl_day(self, camera: Camera, day: str) -> None:
        mark = self._index.mark()
        digits = day.replace("/", "")
        reached = digits
        for keys in self._bucket.pages(f"{FACES}{camera.device}/{camera.name}/{day}/"):
            faces = [face for key in keys if (face := face_of(key))]
            if not faces:
                continue
            names = [face.name for face in faces]
            self._index.add(faces)
            self._index.sweep(camera, (reached, names[-1]), names, mark)
            reached = names[-1]
            before, self._seen = self._seen, self._seen + len(names)
            if self._seen // TELL_EVERY > before // TELL_EVERY:
                _log.info("reading the bucket", faces=self._seen, day=day)
        self._index.sweep(camera, (reached, f"{digits}{_LAST_NAME}"), (), mark)

    def _sweep_days(self, known: list[tuple[Camera, str]]) -> None:
        """Take out what is of days that the bucket has no more."""
        mark = self._index.mark()
        for camera in self._index.cameras():
            days = sorted(day.replace("/", "") for its_camera, day in known if its_camera == camera)
            bounds = [
                _FIRST_NAME,
                *(bound for day in days for bound in (day, f"{day}{_LAST_NAME}")),
                _LAST_NAME,
            ]
            for gap in zip(bounds[::2], bounds[1::2], strict=True):
                self._index.sweep(camera, gap, (), mark)
