"""Which keys are meant, and which folders must be walked to find them. Pure."""

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

FACES = "faces"
DEAD_LETTERS = "dead-letter"
PROBES = "probes"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_STAMP = re.compile(r"(\d{8}T\d{6})\.(\d{3})Z-")
_YEAR = re.compile(r"\d{4}")
_TWO_DIGITS = re.compile(r"\d\d")
_DECEMBER = 12


class SelectionError(Exception):
    """Nothing can be meant by this; the text says what is wrong and the remedy."""


class Reach(enum.Enum):
    """How much of a folder is meant."""

    NONE = enum.auto()
    SOME = enum.auto()
    ALL = enum.auto()


@dataclass(frozen=True, slots=True)
class Selection:
    """A device, a camera of it, a span of time, or what is in all that are given.

    A time is the one in the key, which is the camera's. What has none there, as a dead letter, goes by when
    the bucket took it.
    """

    device: str = ""
    camera: str = ""
    begin: datetime | None = None
    """The first moment that is meant."""
    end: datetime | None = None
    """The first moment that is not meant any more."""

    @property
    def roots(self) -> list[str]:
        """Return the folders in which all that is meant lies."""
        if self.camera:
            # A probe is of the device, of no camera.
            return [f"{area}/{self.device}/{self.camera}/" for area in (FACES, DEAD_LETTERS)]
        below = f"{self.device}/" if self.device else ""
        return [f"{area}/{below}" for area in (FACES, DEAD_LETTERS, PROBES)]

    def reach(self, folder: str) -> Reach:
        """Return how much of a folder, which ends in a slash, is meant."""
        area, *names = folder.removesuffix("/").split("/")
        wanted = [name for name in (self.device, self.camera) if name]
        if area not in {FACES, DEAD_LETTERS, PROBES} or (self.camera and area == PROBES):
            return Reach.NONE
        if names[: len(wanted)] != wanted[: len(names)]:
            return Reach.NONE
        if len(names) < len(wanted):
            return Reach.SOME
        if self.begin is None and self.end is None:
            return Reach.ALL
        return self._reach_in_time(days_of(names[2:]) if area == FACES else None)

    def means(self, key: str, modified: datetime) -> bool:
        """Say whether an object is meant; `modified` is when the bucket took it."""
        folder = key[: key.rfind("/") + 1]
        match self.reach(folder):
            case Reach.ALL:
                return True
            case Reach.NONE:
                return False
        if len(folder.split("/")) - 2 < len([name for name in (self.device, self.camera) if name]):
            return False  # it lies above the device's folder
        moment = time_of(key, modified)
        return (self.begin is None or self.begin <= moment) and (self.end is None or moment < self.end)

    def __str__(self) -> str:
        """Return it in words."""
        what = f"camera {self.camera} of {self.device}" if self.camera else self.device or "all devices"
        begin = "" if self.begin is None else f", from {in_words(self.begin)}"
        end = "" if self.end is None else f", before {in_words(self.end)}"
        return what + begin + end

    def _reach_in_time(self, dates: "tuple[date, date] | None") -> Reach:
        if dates is None:
            return Reach.SOME
        begin, end = (self.begin or midnight(date.min)), (self.end or midnight(date.max))
        first, last = midnight(dates[0]), midnight(dates[1])
        if last <= begin or first >= end:
            return Reach.NONE
        return Reach.ALL if begin <= first and last <= end else Reach.SOME


def select(*, device: str = "", camera: str = "", begin: str = "", end: str = "") -> Selection:
    """Read a selection as an operator gives it; an empty text is not given.

    Raises:
        SelectionError: nothing is given, or something impossible.
    """
    if not (device or camera or begin or end):
        raise SelectionError(
            "nothing is selected: give a device, a camera with its device, or a span of time"
        )
    if camera and not device:
        raise SelectionError(f"camera {camera!r} needs its device: other devices may have one of that name")
    for kind, name in (("device", device), ("camera", camera)):
        if name and not _NAME.fullmatch(name):
            raise SelectionError(
                f"{kind} {name!r} is impossible: names have small letters, digits and dashes only"
            )
    chosen = Selection(device, camera, _moment("from", begin), _moment("to", end))
    if chosen.begin is not None and chosen.end is not None and chosen.begin >= chosen.end:
        raise SelectionError(
            f"the span ends at {in_words(chosen.end)}, not after its begin at {in_words(chosen.begin)}: "
            "`to` is the first moment that stays"
        )
    return chosen


def time_of(key: str, modified: datetime) -> datetime:
    """Return the time in an object's key, or else when the bucket took it; a folder of days wins over both.

    So what lies where no face of ours does is of one time for who walks the folders and who sees the key.
    """
    *folders, name = key.split("/")
    moment = _stamp_of(name) or modified
    if folders[:1] == [FACES] and (days := _nearest(folders[3:])):
        first, last = midnight(days[0]), midnight(days[1])
        return moment if first <= moment < last else first
    return moment


def _stamp_of(name: str) -> datetime | None:
    found = _STAMP.match(name)
    if not found:
        return None
    try:
        whole = datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole + timedelta(milliseconds=int(found[2]))


def _nearest(folders: Sequence[str]) -> tuple[date, date] | None:
    """Return the days of the deepest of some folders that has any: of `2026/13/40` those of 2026."""
    found = None
    for depth in range(1, len(folders) + 1):
        found = days_of(folders[:depth]) or found
    return found


def in_words(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(which: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SelectionError(
            f"{which} {text!r} is no time: write 2026-11-01 or 2026-11-01T08:30:00Z, in UTC"
        ) from None


def midnight(day: date) -> datetime:
    """Return the first moment of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def days_of(folders: Sequence[str]) -> tuple[date, date] | None:
    """Return the days that a folder of a year, month or day has: the first, and the one after the last."""
    forms = (_YEAR, _TWO_DIGITS, _TWO_DIGITS)
    if len(folders) > len(forms) or not all(
        form.fullmatch(name) for form, name in zip(forms, folders, strict=False)
    ):
        return None
    try:
        match [int(name) for name in folders]:
            case [year, month, day]:
                first = date(year, month, day)
                return first, first + timedelta(days=1)
            case [year, month]:
                return date(year, month, 1), date(year + month // _DECEMBER, month % _DECEMBER + 1, 1)
            case [year]:
                return date(year, 1, 1), date(year + 1, 1, 1)
    except (ValueError, OverflowError):
        pass
    return None
