"""Which bytes are asked for. Pure.

Source: RFC 9110, section 14. Of several ranges none is honoured: the whole is a right answer too.
"""

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=\s*(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-(?P<tail>[0-9]{1,18}))\s*")


class Span(NamedTuple):
    """Bytes from `first` on, before `end`."""

    first: int
    end: int
    is_part: bool

    @property
    def size(self) -> int:
        """Return how many there are."""
        return self.end - self.first


class UnsatisfiableError(ValueError):
    """None of the bytes that are asked for is there."""


def span_of(header: str | None, size: int) -> Span:
    """Return what a Range header asks of something of that size.

    Raises:
        UnsatisfiableError: it begins after the end.
    """
    found = _RANGE.fullmatch(header) if header else None
    if not found:
        return Span(0, size, is_part=False)
    if found["tail"]:
        first, end = max(0, size - int(found["tail"])), size
    else:
        first = int(found["first"])
        last = int(found["last"]) if found["last"] else size - 1
        if found["last"] and last < first:  # no range at all
            return Span(0, size, is_part=False)
        end = min(last + 1, size)
    if first >= end:
        raise UnsatisfiableError
    return Span(first, end, is_part=True)
