"""Faces per hour, as bars. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

HOUR_MS = 3_600_000
HEIGHT = 100


class Bar(NamedTuple):
    """One hour: how many faces, and how high its bar is, 0 to `HEIGHT`."""

    begin: datetime
    faces: int
    height: int


class Span(NamedTuple):
    """From (included) until (not included), milliseconds since 1970."""

    begin_ms: int
    end_ms: int


def span_of(day: str, hour: str) -> Span | None:
    """Return the span that a day (`yyyy-mm-dd`, UTC) and an hour of it (0 to 23) name; None for no day.

    Raises:
        ValueError: when they name none.
    """
    if not day:
        if hour:
            raise ValueError("an hour needs a day")
        return None
    begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    length = timedelta(days=1)
    if hour:
        begin += timedelta(hours=_hour(hour))
        length = timedelta(hours=1)
    return Span(_ms(begin), _ms(begin + length))


def hours_of(day: str, now: datetime) -> Span:
    """Return the 24 hours to show: a day's, or the last ones."""
    chosen = span_of(day, "")
    if chosen:
        return chosen
    end = (_ms(now) // HOUR_MS + 1) * HOUR_MS
    return Span(end - 24 * HOUR_MS, end)


def bars(counts: Mapping[int, int], span: Span) -> list[Bar]:
    """Return one bar an hour. `counts` is by hours since 1970; the highest bar is `HEIGHT`."""
    hours = range(span.begin_ms // HOUR_MS, span.end_ms // HOUR_MS)
    most = max([counts.get(hour, 0) for hour in hours] or [0])
    return [
        Bar(datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC), count, _height(count, most))
        for hour in hours
        for count in [counts.get(hour, 0)]
    ]


def _height(count: int, most: int) -> int:
    return max(3, round(HEIGHT * count / most)) if count else 0


def _hour(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 24):  # noqa: PLR2004 - hours of a day
        raise ValueError(f"{text!r} is no hour")
    return int(text)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
