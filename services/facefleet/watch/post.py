"""Where statuses come in from the link's thread, and are looked at from others'."""

import threading
from collections.abc import Callable
from datetime import datetime

from facefleet.fleet.foundation import Foundation
from facefleet.fleet.roster import Entry, Roster, utc_now
from facefleet.fleet.thresholds import SILENT_S
from facefleet.messaging.delivery import Delivery
from facefleet.runtime import logs

_log = logs.get("watch")


class Post:
    """The roster, and whether we hear anything at all. Safe from any thread."""

    def __init__(self, roster: Roster, foundation: Callable[[], Foundation] = Foundation) -> None:
        """Begin with what was known, connected to nobody; `foundation` looks what all stand on."""
        self.foundation = foundation
        self._lock = threading.Lock()
        self._roster = roster
        self._news = True
        self._deaf_since: datetime | None = utc_now()

    def hear(self, delivery: Delivery) -> None:
        """Take a device's status, and tell in the log what changed."""
        delivery.acknowledge()
        match delivery.topic.split("/"):
            case ["status", name]:
                pass
            case _:
                return
        now = utc_now()
        with self._lock:
            before = self._roster.get(name)
            self._roster.hear(name, delivery.payload, now, retained=delivery.retained)
            after = self._roster.get(name)
            self._news = True
        if (after and after.state) != (before and before.state):
            _log.info("device", device=name, state=after.state if after else "removed")

    def turned(self, *, connected: bool) -> None:
        """Note whether the broker is there."""
        with self._lock:
            if connected:
                self._deaf_since = None
            elif self._deaf_since is None:
                self._deaf_since = utc_now()

    @property
    def connected(self) -> bool:
        """Return whether we hear what is said."""
        with self._lock:
            return self._deaf_since is None

    def deaf(self, now: datetime) -> datetime | None:
        """Return since when we hear nothing, if that is so long that the roster tells nothing of now."""
        with self._lock:
            since = self._deaf_since
        return since if since and (now - since).total_seconds() > SILENT_S else None

    def entries(self) -> list[Entry]:
        """Return one entry a device; they do not change any more."""
        with self._lock:
            return self._roster.entries

    def as_json(self, now: datetime) -> str:
        """Return the roster as it is now."""
        return Roster(self.entries(), foundation=self.foundation()).as_json(now)

    def news(self) -> str | None:
        """Return the roster as JSON if it changed since the last time that this was asked."""
        with self._lock:
            news, self._news = self._news, False
        return self.as_json(utc_now()) if news else None

    def unsaved(self) -> None:
        """Take the news back: they could not be written."""
        with self._lock:
            self._news = True
