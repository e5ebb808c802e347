"""The fleet as a text table of 120 columns: what is wrong first, then a line for each device and camera."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from facefleet.fleet.device import CONNECTED, ONLINE, UNSYNCHRONIZED, CameraState, Device
from facefleet.fleet.foundation import Foundation
from facefleet.fleet.roster import NEVER_HEARD, NO_ANSWER, NO_STACK, SILENT, Entry, Roster
from facefleet.fleet.verdict import SEVERITIES, Problem, Severity, problems, problems_below, worst
from facefleet.fleet.words import left, moment, size, span, standing

WIDTH = 120
NAME_MOST = 24
NAME_LEAST = 12
UNKNOWN = "-"
_HEADINGS: dict[Severity, str] = {"broken": "BROKEN", "attention": "NEEDS ATTENTION", "note": "NOTES"}
_COLUMNS = (
    *("DEVICE", "STATE", "RELEASE", "HELD", "BYTES", "OLDEST", "GAVE UP", "RECEIPT", "LINK"),
    *("DISK", "MEMORY", "TEMP", "CLOCK", "CERT"),
)
_LEFT = {"DEVICE", "STATE", "RELEASE", "LINK", "CLOCK", "CAMERA"}
_CAMERA_COLUMNS = ("CAMERA", "STATE", "FPS", "LAST FACE", "CAPTURED", "HELD", "GAVE UP")
_STATE_WORDS_MOST = 44


def table(roster: Roster, now: datetime) -> str:
    """Return the whole table. Devices with the worst problems come first; the rest is by name."""
    found = {entry.name: problems(entry, now) for entry in roster.entries}
    entries = sorted(roster.entries, key=lambda entry: (_rank(found[entry.name]), entry.name))
    told = problems_below(roster.foundation, now) | found
    summary = "\n".join([_summary(entries, now), *_foundation(roster.foundation, now)])
    parts = [summary, *_complaints(told), "\n".join(_lines(entries, now))]
    return "\n\n".join(part for part in parts if part)


def _rank(found: list[Problem]) -> int:
    how_bad = worst(found)
    return len(SEVERITIES) if how_bad in {None, "note"} else SEVERITIES.index(how_bad or "note")


def _summary(entries: list[Entry], now: datetime) -> str:
    states = Counter(entry.standing(now) for entry in entries)
    order = (ONLINE, *sorted(set(states) - {ONLINE}))
    devices = ", ".join(f"{states[state]} {state}" for state in order if states[state])
    cameras = [camera for entry in entries if entry.online(now) for camera in entry.device.cameras.values()]
    seeing = sum(camera.sees for camera in cameras)
    paused = sum(camera.paused for camera in cameras)
    held = sum(entry.device.held or 0 for entry in entries)
    told = [f"{_counted(len(entries), 'device')}{': ' if devices else ''}{devices}"]
    if cameras:
        told.append(
            f"{seeing} of {_counted(len(cameras), 'camera')} that report "
            f"{'gives' if seeing == 1 else 'give'} pictures{f', {paused} paused' if paused else ''}"
        )
    if held:
        told.append(f"{_counted(held, 'face')} not in the cloud yet")
    return _wrapped(f"Fleet at {moment(now)}: {'; '.join(told)}.", "")


def _foundation(foundation: Foundation, now: datetime) -> Iterator[str]:
    """Yield a line on what all devices stand on, as far as it is known."""
    if known := [f"{name} {left(ends, now)}" for name, ends in foundation.ends.items()]:
        yield f"Certificates: {', '.join(known)}."


def _complaints(found: dict[str, list[Problem]]) -> Iterator[str]:
    """Yield a paragraph for each severity; problems with one remedy stand together above it."""
    for severity in SEVERITIES:
        by_remedy: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, of_device in sorted(found.items()):
            for problem in of_device:
                if problem.severity == severity:
                    by_remedy[problem.remedy].append((name, problem.what))
        if not by_remedy:
            continue
        lines = [_HEADINGS[severity]]
        for remedy, told in by_remedy.items():
            lines += [_wrapped(f"{name}: {what}", "  ") for name, what in told]
            lines.append(_wrapped(f"-> {remedy}", "     "))
        yield "\n".join(lines)


def _lines(entries: list[Entry], now: datetime) -> Iterator[str]:
    """Yield the lines of the table; a camera's stand below its device's."""
    if not entries:
        return
    rows = _aligned([_COLUMNS, *(_row(entry, now) for entry in entries)], "")
    cameras = [
        (entry.name, _camera_row(name, camera, now))
        for entry in entries
        if entry.online(now)
        for name, camera in sorted(entry.device.cameras.items())
    ]
    below: dict[str, list[str]] = defaultdict(list)
    camera_lines = _aligned([_CAMERA_COLUMNS, *(row for _, row in cameras)], "    ")
    for (device, _), line in zip(cameras, camera_lines[1:], strict=True):
        below[device].append(line)
    yield rows[0]
    if cameras:
        yield camera_lines[0]
    for entry, row in zip(entries, rows[1:], strict=True):
        yield row
        if pull := entry.device.pull:
            yield f"    {standing(pull.state, pull.edition, pull.wants)}"
        yield from below[entry.name]


def _row(entry: Entry, now: datetime) -> tuple[str, ...]:
    device = entry.device
    here = entry.online(now)
    return (
        _short(entry.name, NAME_MOST),
        _state(entry, now),
        (device.release or UNKNOWN)[:12],
        _count(device.held),
        UNKNOWN if device.spool_bytes is None else size(device.spool_bytes),
        span(device.oldest_s) if device.held and device.oldest_s is not None else UNKNOWN,
        _count(device.all_given_up),
        _ago(device.last_receipt, now),
        _link(device, now) if here else UNKNOWN,
        _share(device.host.disk_free_share) if here else UNKNOWN,
        _share(device.host.memory_free_share) if here else UNKNOWN,
        f"{device.host.temperature:.0f}C" if here and device.host.temperature is not None else UNKNOWN,
        _clock(device) if here else UNKNOWN,
        left(device.certificate_ends, now) if device.certificate_ends else UNKNOWN,
    )


def _camera_row(name: str, camera: CameraState, now: datetime) -> tuple[str, ...]:
    said = camera.camera or camera.state
    return (
        _short(name, NAME_MOST),
        _short(said if camera.state == ONLINE else f"detector {camera.state}", _STATE_WORDS_MOST),
        UNKNOWN if camera.fps is None else f"{camera.fps:.1f}",
        _ago(camera.last_face, now),
        _count(camera.captured),
        _count(camera.held),
        _count(camera.given_up),
    )


def _state(entry: Entry, now: datetime) -> str:
    standing = entry.standing(now)
    since = entry.standing_since(now)
    if since is None or standing in {NEVER_HEARD, NO_ANSWER, NO_STACK}:
        return standing
    at_least = "" if entry.since_exact or standing == SILENT else ">"
    return f"{standing} {at_least}{span((now - since).total_seconds())}"


def _link(device: Device, now: datetime) -> str:
    if device.cloud is None:
        return UNKNOWN
    since = f" {span((now - device.cloud_since).total_seconds())}" if device.cloud_since else ""
    return f"{'up' if device.cloud == CONNECTED else 'DOWN'}{since}"


def _clock(device: Device) -> str:
    if device.clock is None:
        return UNKNOWN
    return "WRONG?" if device.clock == UNSYNCHRONIZED else "right"


def _ago(time: datetime | None, now: datetime) -> str:
    return UNKNOWN if time is None else span((now - time).total_seconds())


def _count(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def _share(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.0%}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "~"


def _aligned(rows: list[tuple[str, ...]], indent: str) -> list[str]:
    """Return the rows as lines with straight columns; the first row says which columns stand left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    gap = "  " if len(indent) + sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    excess = len(indent) + sum(widths) + len(gap) * (len(widths) - 1) - WIDTH
    if excess > 0:
        widths[0] = max(NAME_LEAST, widths[0] - excess)
        rows = [(_short(row[0], widths[0]), *row[1:]) for row in rows]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if heading in _LEFT else cell.rjust(width)
            for cell, width, heading in zip(row, widths, rows[0], strict=True)
        )
        lines.append((indent + gap.join(cells)).rstrip())
    return lines


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
