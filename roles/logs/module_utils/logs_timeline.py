"""Puts lines of many sources into the order of time, within a bound of bytes. Pure."""
# ruff: noqa: INP001 - Ansible finds it by its folder
# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.

from __future__ import annotations

import heapq
import re

LINE_MOST = 8192

_STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ?(.*)", re.DOTALL)
_UNSEEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def plain(text: str) -> str:
    """Return a text without colours and what else a terminal does not show."""
    return _UNSEEN.sub("", text)


def stamped(line: str) -> tuple[str, str]:
    """Return the time that Docker wrote before a line, of always the same width, and the rest."""
    found = _STAMPED.fullmatch(line)
    return (f"{found[1]}.{(found[2] or '').ljust(9, '0')}Z", found[3]) if found else ("", line)


class Timeline:
    """Keeps the newest lines that fit, and counts those that were cut off."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._heap: list[tuple[str, int, str]] = []
        self._last: dict[str, str] = {}
        self._bytes = 0
        self._number = 0
        self._horizon = ""
        """Time of the newest line that was cut off: none is kept that is older."""
        self.cut_lines = 0
        self.cut_bytes = 0

    def add(self, source: str, stamp: str, text: str) -> None:
        """Add a line; one without a stamp belongs to the one before of its source."""
        stamp = stamp or self._last.get(source, "")
        self._last[source] = stamp
        if len(text) > LINE_MOST:
            text = f"{text[:LINE_MOST]} ... {len(text) - LINE_MOST} more characters"
        line = f"{stamp} {source} | {text}"
        self._number += 1
        self._bytes += _size(line)
        heapq.heappush(self._heap, (stamp, self._number, line))
        while self._heap and (self._bytes > self._most or self._heap[0][0] < self._horizon):
            stamp, _, oldest = heapq.heappop(self._heap)
            self._horizon = max(self._horizon, stamp)
            cut = _size(oldest)
            self._bytes -= cut
            self.cut_lines += 1
            self.cut_bytes += cut

    def lines(self) -> list[str]:
        """Return the lines that were kept, oldest first."""
        return [line for _, _, line in sorted(self._heap)]


def _size(line: str) -> int:
    return len(line.encode(errors="replace")) + 1
