"""Says one line of a plan in words."""
# ruff: noqa: INP001 - Ansible finds it by its folder

from collections.abc import Callable
from typing import Any

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1000


def forget_line(line: dict[str, Any]) -> str:
    """Return how many objects of a camera there are, how large, and from when to when."""
    where = "/".join(part for part in (line["area"], line["device"], line["camera"]) if part)
    marks = f" and {line['delete_marks']:,} delete marks" if line["delete_marks"] else ""
    counts = f"{line['objects']:,} objects, {line['versions']:,} versions{marks}, {_size(line['bytes'])}"
    return f"{where}: {counts}, {line['first']} to {line['last']}"


def _size(count: float) -> str:
    unit = 0
    while count >= _STEP and unit < len(_UNITS) - 1:
        count, unit = count / _STEP, unit + 1
    return f"{count:,.1f} {_UNITS[unit]}" if unit else f"{count:,.0f} {_UNITS[unit]}"


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, Callable[[dict[str, Any]], str]]:
        """Return it by its name."""
        return {"forget_line": forget_line}
