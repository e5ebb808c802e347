"""Amounts as an operator reads them: `12s`, `3h`, `4.5M`."""

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TWO_OF_EACH = 2
"""Below two of a unit the smaller one says more: 90m, not 1h."""
_KIBI = 1024


def span(seconds: float) -> str:
    """Return a time span in few letters; one below zero, of clocks that differ, is none."""
    whole = max(0, round(seconds))
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if whole >= _TWO_OF_EACH * unit:
            return f"{whole // unit}{letter}"
    return f"{whole}s"


def left(ends: datetime, now: datetime) -> str:
    """Return how long something still is, or that it ended."""
    seconds = (ends - now).total_seconds()
    return span(seconds) if seconds > 0 else "ENDED"


def size(count: float) -> str:
    """Return a number of bytes in few letters, with 1024 to the next."""
    for unit in ("B", "K", "M", "G"):
        if count < _KIBI:
            return f"{count:.0f}{unit}" if unit == "B" or count >= 10 else f"{count:.1f}{unit}"  # noqa: PLR2004
        count /= _KIBI
    return f"{count:.1f}T"


def standing(state: str, edition: str | None, wants: str | None) -> str:
    """Return how a device stands that fetches its releases itself."""
    runs = f"runs edition {edition}" if edition else "runs no edition yet"
    if state == "ok" and wants in {edition, None}:
        return runs
    return f"{runs}, {state}{f' {wants}' if wants and wants != edition else ''}"


def moment(time: datetime) -> str:
    """Return a time to the minute, UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
