"""What each device last said, when it was heard, and since when it is as it is."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from facefleet.fleet.device import (
    OFFLINE,
    ONLINE,
    UNREADABLE,
    UNSYNCHRONIZED,
    Device,
    from_dict,
    parse,
    read_time,
    readable,
    write_time,
)
from facefleet.fleet.foundation import Foundation
from facefleet.fleet.foundation import from_dict as foundation_from_dict
from facefleet.fleet.thresholds import SILENT_S

VERSION = 1
NEVER_HEARD = "never heard"
NO_ANSWER = "no answer"
"""It was asked by ssh, and could not be reached."""
NO_STACK = "no stack"
"""It was reached by ssh, and there is no broker that could be asked."""
SILENT = "silent"
"""It should be online, as nobody said otherwise, but nothing came for too long."""


class RosterError(Exception):
    """A roster cannot be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One device. `device` is its last full report: a last will says the state and no more."""

    name: str
    state: str = NEVER_HEARD
    """As last said of it: online, stopped, offline, unreadable; or never heard, no answer."""
    device: Device = field(default_factory=Device)
    heard: datetime | None = None
    """When it last said something itself."""
    since: datetime | None = None
    """Since when it is in this state."""
    since_exact: bool = True
    """Or else the change was before: the state was heard of only then."""
    gave_up: datetime | None = None
    """When it was last heard to have given up faces."""

    def standing(self, now: datetime) -> str:
        """Return the state, or `silent` for one that is said to be online and is not heard of."""
        if self.state == ONLINE and (self.heard is None or (now - self.heard).total_seconds() > SILENT_S):
            return SILENT
        return self.state

    def online(self, now: datetime) -> bool:
        """Return whether it is there and says so."""
        return self.standing(now) == ONLINE

    def standing_since(self, now: datetime) -> datetime | None:
        """Return since when it stands as `standing` says."""
        return self.heard if self.standing(now) == SILENT else self.since


class Roster:
    """All devices that were heard of, and those that were expected. One thread at a time."""

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        at: datetime | None = None,
        foundation: Foundation = Foundation(),  # noqa: B008 - it does not change
    ) -> None:
        """Begin with what is known; `at` is the moment that a roster read from JSON shows."""
        self._entries = {entry.name: entry for entry in entries}
        self.at = at
        self.foundation = foundation

    @property
    def entries(self) -> list[Entry]:
        """Return one entry a device, by name."""
        return sorted(self._entries.values(), key=lambda entry: entry.name)

    def get(self, name: str) -> Entry | None:
        """Return a device's entry, if it is known."""
        return self._entries.get(name)

    def hear(self, name: str, payload: bytes | str, now: datetime, *, retained: bool = False) -> None:
        """Take a status message; an empty one removes the device.

        One that is `retained` was said at an unknown time before: it tells the state, but not since when.
        """
        if not payload:
            self.forget(name)
            return
        said = parse(payload)
        before = self._entries.get(name) or Entry(name)
        entry = dataclasses.replace(before, state=said.state)
        if said.state != before.state:
            entry = dataclasses.replace(entry, since=now, since_exact=not retained)
        if said.state not in {OFFLINE, UNREADABLE}:
            entry = dataclasses.replace(
                entry,
                device=said,
                heard=_when_said(said, before.heard, now) if retained else now,
                gave_up=now if _gave_up(before.device, said) else before.gave_up,
            )
        self._entries[name] = entry

    def answered(self, name: str, payload: bytes | str, now: datetime) -> None:
        """Take what a device answered when it was asked, once: since when it is so, nobody saw."""
        self.hear(name, payload, now, retained=True)
        if entry := self._entries.get(name):
            self._entries[name] = dataclasses.replace(entry, since=None, since_exact=False)

    def forget(self, name: str) -> None:
        """Remove a device."""
        self._entries.pop(name, None)

    def expect(self, names: Iterable[str]) -> None:
        """Add devices that should be there; one that was not heard of is `never heard`."""
        for name in names:
            self._entries.setdefault(name, Entry(name))

    def mark_unasked(self, name: str, why: str) -> None:
        """Note that a device could not even be asked: `NO_ANSWER` or `NO_STACK`."""
        self._entries[name] = Entry(name, state=why)

    def only(self, names: Iterable[str]) -> "Roster":
        """Return a roster of these devices alone."""
        wanted = set(names)
        return Roster((entry for entry in self.entries if entry.name in wanted), self.at, self.foundation)

    def as_json(self, now: datetime) -> str:
        """Return all of it as JSON; `now` tells the reader from when the ages count."""
        return json.dumps(
            {
                "version": VERSION,
                "at": write_time(now),
                "foundation": self.foundation.as_dict(),
                "devices": {entry.name: _as_dict(entry) for entry in self.entries},
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Roster":
        """Read what `as_json` wrote.

        Raises:
            RosterError: it is no roster, or a newer release's.
        """
        try:
            read = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RosterError(f"this is no roster, as it is no JSON ({error}): ask the watch anew") from error
        if not isinstance(read, dict) or not isinstance(read.get("devices"), dict):
            raise RosterError("this is no roster, as it has no devices: ask the watch anew")
        if read.get("version") != VERSION:
            raise RosterError(
                f"this roster is of version {read.get('version')}, and {VERSION} is known here: "
                "use the release of the watch"
            )
        return cls(
            (_from_dict(readable(name), said) for name, said in read["devices"].items()),
            read_time(read.get("at")),
            foundation_from_dict(read.get("foundation")),
        )


def _when_said(said: Device, heard_before: datetime | None, now: datetime) -> datetime:
    """Return when a retained message was said, if one can know: a clock that is not right tells nothing."""
    trusted = said.said if said.said and said.clock != UNSYNCHRONIZED and said.said <= now else now
    return max(trusted, heard_before) if heard_before and heard_before <= now else trusted


def _gave_up(before: Device, said: Device) -> bool:
    """Return whether faces were given up between two reports; a count that went back began anew."""
    pairs = [(before.given_up, said.given_up)]
    pairs += [
        (before.cameras[name].given_up, camera.given_up)
        for name, camera in said.cameras.items()
        if name in before.cameras
    ]
    return any(earlier is not None and later is not None and later > earlier for earlier, later in pairs)


def _as_dict(entry: Entry) -> dict[str, Any]:
    times = {"heard": entry.heard, "since": entry.since, "gave_up": entry.gave_up}
    return {
        "state": entry.state,
        **{name: write_time(time) for name, time in times.items() if time is not None},
        "since_exact": entry.since_exact,
        "report": entry.device.as_dict(),
    }


def _from_dict(name: str, said: object) -> Entry:
    if not isinstance(said, dict):
        return Entry(name)
    state = said.get("state")
    return Entry(
        name,
        state=readable(state) if isinstance(state, str) else UNREADABLE,
        device=from_dict(said.get("report")),
        heard=read_time(said.get("heard")),
        since=read_time(said.get("since")),
        since_exact=said.get("since_exact") is True,
        gave_up=read_time(said.get("gave_up")),
    )


def utc_now() -> datetime:
    """Return the time, for those that have no other."""
    return datetime.now(UTC)
