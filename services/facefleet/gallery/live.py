"""Faces as they come: the processors tell of each that they stored, and pages that are open show it."""

import asyncio
import json
import secrets
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from facefleet.gallery.face import Face, face_of, traits_of
from facefleet.gallery.index import Index
from facefleet.gallery.settings import GallerySettings
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.link import Link

WAITING_MOST = 200
"""Faces that a page may be behind; more, and it misses some until it is loaded anew."""
KEPT_MOST = 100
"""Faces that are kept for pages whose stream comes later than they, or that comes back."""


class Told(NamedTuple):
    """A face that was told of, and the mark of that moment."""

    mark: str
    face: Face


class Watchers:
    """The open pages. Faces come from the broker's thread, pages live on the web's loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[asyncio.Queue[Told | None], asyncio.AbstractEventLoop] = {}
        self._kept: deque[Told] = deque(maxlen=KEPT_MOST)
        self._run = secrets.token_hex(4)
        self._count = 0

    @property
    def mark(self) -> str:
        """Return the mark of now: who joins with it is told of all faces from now on. Any thread."""
        with self._lock:
            return self._mark()

    def join(self, since: str = "") -> "asyncio.Queue[Told | None]":
        """Return a queue of the faces since a mark (none: from now on); None in it is the end.

        A mark from before this service started takes all that was told since then. On the web's loop.
        """
        queue: asyncio.Queue[Told | None] = asyncio.Queue(WAITING_MOST)
        with self._lock:
            for told in self._since(since):
                queue.put_nowait(told)
            self._queues[queue] = asyncio.get_running_loop()
        return queue

    def leave(self, queue: "asyncio.Queue[Told | None]") -> None:
        """Be told no more."""
        with self._lock:
            self._queues.pop(queue, None)

    def tell(self, face: Face) -> None:
        """Show a face on all open pages. Any thread."""
        with self._lock:
            self._count += 1
            self._kept.append(Told(self._mark(), face))
            self._put_all(self._kept[-1])

    def end(self) -> None:
        """End the streams of all open pages. Any thread."""
        with self._lock:
            self._put_all(None)

    def _mark(self) -> str:
        return f"{self._run}-{self._count}"

    def _since(self, mark: str) -> list[Told]:
        if not mark:
            return []
        kept = list(self._kept)
        marks = [told.mark for told in kept]
        return kept[marks.index(mark) + 1 :] if mark in marks else kept

    def _put_all(self, told: Told | None) -> None:
        for queue, loop in self._queues.items():
            loop.call_soon_threadsafe(_put, queue, told)


def _put(queue: "asyncio.Queue[Told | None]", told: Told | None) -> None:
    if told is None or not queue.full():
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(told)


class Notices:
    """Hears what was stored, notes it in the index, and shows it."""

    def __init__(
        self,
        settings: GallerySettings,
        index: Index,
        watchers: Watchers,
        on_state: Callable[[bool, str], None],
    ) -> None:
        self._index = index
        self._watchers = watchers
        self._link = Link(
            settings.broker,
            settings.client_id,
            identity=settings.broker_identity,
            receive_maximum=1000,
            subscriptions=[topics.stored("+", "+")],
            on_message=self._hear,
            on_state=on_state,
        )

    def start(self) -> None:
        """Begin to listen."""
        self._link.start()

    def stop(self) -> None:
        """Listen no more."""
        self._link.stop()

    def _hear(self, delivery: Delivery) -> None:
        face = read_notice(delivery.topic, delivery.payload)
        if face:
            self._index.add([face])
            self._watchers.tell(face)
        delivery.acknowledge()


def read_notice(topic: str, payload: bytes) -> Face | None:
    """Return the face that a notice tells of; None when it is no notice."""
    try:
        said = json.loads(payload)
        key, attributes = said["key"], said["attributes"]
        face = face_of(key, traits_of(attributes))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if face is None or topic != topics.stored(face.camera.device, face.camera.name):
        return None
    return face
