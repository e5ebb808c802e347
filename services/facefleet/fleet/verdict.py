"""What is wrong with a device, in words, with the remedy, and how bad it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from facefleet.fleet import thresholds
from facefleet.fleet.device import (
    CAMERA_STARTING,
    CONNECTED,
    ONLINE,
    STOPPED,
    UNSYNCHRONIZED,
    CameraState,
    Device,
    Host,
)
from facefleet.fleet.foundation import Foundation
from facefleet.fleet.roster import NEVER_HEARD, NO_ANSWER, NO_STACK, SILENT, Entry
from facefleet.fleet.words import moment, size, span

Severity = Literal["broken", "attention", "note"]
SEVERITIES: tuple[Severity, ...] = ("broken", "attention", "note")
"""The worst first. A note is no fault: somebody wanted it so."""

_LOGS = "`docker compose logs` in /opt/facefleet/edge there"
_UP = "`docker compose up -d` in /opt/facefleet/edge there"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: `what` without the device's name, and what to do about it."""

    severity: Severity
    what: str
    remedy: str


def problems(entry: Entry, now: datetime) -> list[Problem]:
    """Return all that is wrong with a device, the worst first.

    Of a device that is away its last words count no more, but for the end of its certificate.
    """
    found = [*_standing(entry, now), *_certificate(entry.device, now)]
    if entry.online(now):
        device = entry.device
        found += [
            *_way(device),
            *_backlog(device, now),
            *_giving_up(entry, now),
            *_spool(device),
            *_machine(device.host),
            *_clock(device),
            *_pull(device, now),
        ]
        for name, camera in device.cameras.items():
            found += _camera(name, camera)
    return sorted(found, key=lambda problem: SEVERITIES.index(problem.severity))


def problems_below(foundation: Foundation, now: datetime) -> dict[str, list[Problem]]:
    """Return what is wrong with what all devices stand on, by its name."""
    found: dict[str, list[Problem]] = {"cloud host": [], "authority": []}
    if foundation.cloud_ends:
        found["cloud host"] += _ending(foundation.cloud_ends, now, "no device talks to it")
    if foundation.authority_ends:
        days = _days(foundation.authority_ends, now)
        if days <= thresholds.AUTHORITY_ENDS_DAYS:
            problem = Problem(
                "broken" if days <= thresholds.AUTHORITY_ENDS_SOON_DAYS else "attention",
                f"the fleet's authority {_when(foundation.authority_ends, now, 'nobody trusts anybody')}",
                "run playbooks/rotate.yml -e rotate_authority=true: it waits for devices that are away",
            )
            found["authority"].append(problem)
    return found


def worst(found: list[Problem]) -> Severity | None:
    """Return how bad it is altogether; None when all is well."""
    return min((problem.severity for problem in found), key=SEVERITIES.index, default=None)


def _standing(entry: Entry, now: datetime) -> Iterator[Problem]:
    standing = entry.standing(now)
    if standing == ONLINE:
        return
    held = f"; it held {entry.device.held:,} faces, which stay on its disk" if entry.device.held else ""
    if standing == STOPPED:
        yield Problem(
            "attention",
            f"stopped {_since(entry, now)}{held}",
            f"somebody stopped it; start it: {_UP}",
        )
    elif standing == NEVER_HEARD:
        yield Problem(
            "broken", "never heard", "deploy it with site.yml; if that was done, look at its forwarder's log"
        )
    elif standing == NO_ANSWER:
        yield Problem("broken", "no answer by ssh", "see whether it has power and network")
    elif standing == NO_STACK:
        yield Problem(
            "broken",
            "it answers by ssh, but no broker runs there",
            "run playbooks/edge.yml with --limit; `docker compose ps` in /opt/facefleet/edge there says more",
        )
    elif standing == SILENT:
        yield Problem(
            "broken",
            f"silent {_since(entry, now)}, and nobody said that it is offline{held}",
            "see whether it has power and network, and whether its release is that of the others",
        )
    else:
        says = standing if standing == "offline" else "says what cannot be read,"
        remedy = (
            "see whether it has power and network; if it has, look at its forwarder's log"
            if standing == "offline"
            else "run playbooks/edge.yml with --limit, so that it has the release of the others"
        )
        yield Problem("broken", f"{says} {_since(entry, now)}{held}", remedy)


def _since(entry: Entry, now: datetime) -> str:
    since = entry.standing_since(now)
    if since is None:
        return "just now"
    exact = entry.since_exact or entry.standing(now) == SILENT
    before = "" if exact else "before "
    for_how_long = span((now - since).total_seconds())
    return f"since {before}{moment(since)} ({'' if exact else 'more than '}{for_how_long})"


def _certificate(device: Device, now: datetime) -> Iterator[Problem]:
    if device.certificate_ends is None:
        return
    yield from _ending(device.certificate_ends, now, "the cloud refuses it")


def _ending(ends: datetime, now: datetime, otherwise: str) -> Iterator[Problem]:
    days = _days(ends, now)
    if days <= thresholds.CERTIFICATE_ENDS_DAYS:
        yield Problem(
            "broken" if days <= thresholds.CERTIFICATE_ENDS_SOON_DAYS else "attention",
            f"its certificate {_when(ends, now, otherwise)}",
            "run playbooks/rotate.yml: it renews what ends soon",
        )


def _days(ends: datetime, now: datetime) -> float:
    return (ends - now).total_seconds() / 86400


def _when(ends: datetime, now: datetime, otherwise: str) -> str:
    if ends <= now:
        return f"ended {moment(ends)}: {otherwise}"
    return f"ends {moment(ends)}, in {span((ends - now).total_seconds())}"


def _way(device: Device) -> Iterator[Problem]:
    if device.cloud not in {CONNECTED, None}:
        yield Problem(
            "broken",
            f"no way to the cloud: {device.cloud}",
            "what it says, if it says that; or else its link, a firewall (port 8883), the cloud's broker",
        )


def _backlog(device: Device, now: datetime) -> Iterator[Problem]:
    if not device.held or device.oldest_s is None:
        return
    holds = f"holds {device.held:,} faces, the oldest for {span(device.oldest_s)}"
    if device.oldest_s > thresholds.BACKLOG_OLD_S:
        yield Problem(
            "broken" if device.oldest_s > thresholds.BACKLOG_VERY_OLD_S else "attention",
            holds,
            "its link is down or too thin: mend it, raise edge_bandwidth_bytes_s if it is set, or send less",
        )
    last = device.last_receipt or device.started  # by the device's clock, as is what it is compared with
    if device.cloud != CONNECTED or last is None or device.oldest_s <= thresholds.NO_RECEIPT_S:
        return
    silence = ((device.said or now) - last).total_seconds()
    if silence > thresholds.NO_RECEIPT_S:
        yield Problem(
            "broken",
            f"{holds}, and no receipt came for {span(silence)}",
            "see `docker compose logs processor` on the cloud host: it says what S3 refuses",
        )


def _giving_up(entry: Entry, now: datetime) -> Iterator[Problem]:
    if entry.gave_up and (now - entry.gave_up).total_seconds() < thresholds.GIVING_UP_S:
        yield Problem(
            "broken",
            f"gives up faces for want of room, last at {moment(entry.gave_up)}; "
            f"{entry.device.all_given_up or 0:,} in all",
            "mend its way to the cloud, or raise edge_spool_max_bytes, edge_outbox_max_bytes",
        )


def _spool(device: Device) -> Iterator[Problem]:
    share = device.spool_share
    if share is None or share < thresholds.SPOOL_FILLING_SHARE:
        return
    of = f"{size(device.spool_bytes or 0)} of {size(device.spool_max_bytes or 0)}"
    yield Problem(
        "broken" if share >= thresholds.SPOOL_FULL_SHARE else "attention",
        f"its spool is full to {share:.0%}: {of}",
        "see why the cloud takes nothing, or raise edge_spool_max_bytes",
    )


def _machine(host: Host) -> Iterator[Problem]:
    if (disk := host.disk_free_share) is not None and disk < thresholds.DISK_FILLING_SHARE:
        yield Problem(
            "broken" if disk < thresholds.DISK_FULL_SHARE else "attention",
            f"its disk has {size(host.disk_free or 0)} left of {size(host.disk_total or 0)}",
            "see what fills it: `sudo du -xh / | sort -h | tail` and `docker system df` there",
        )
    if (memory := host.memory_free_share) is not None and memory < thresholds.MEMORY_LOW_SHARE:
        yield Problem(
            "attention",
            f"its memory has {size(host.memory_free or 0)} left of {size(host.memory_total or 0)}",
            "see what takes it: `docker stats` there; fewer cameras or a lower edge_detector_memory",
        )
    if host.temperature is not None and host.temperature >= thresholds.HOT_CELSIUS:
        yield Problem(
            "broken" if host.temperature >= thresholds.TOO_HOT_CELSIUS else "attention",
            f"it is {host.temperature:.0f} degrees hot",
            "clean or mend its fan, or give it shade; a lower rate of its cameras cools it too",
        )


def _clock(device: Device) -> Iterator[Problem]:
    if device.clock == UNSYNCHRONIZED:
        yield Problem(
            "attention",
            "nothing sets its clock: times of faces may be wrong",
            "let it reach a time server: time_sync_enabled, or port 123 out",
        )


def _pull(device: Device, now: datetime) -> Iterator[Problem]:
    pull = device.pull
    if pull is None:
        return
    runs = f"it runs {pull.edition}" if pull.edition else "it runs none yet"
    if pull.state == "failed":
        yield Problem(
            "broken",
            f"edition {pull.wants} failed here, {runs}: {pull.why}",
            "mend what it says and run playbooks/promote.yml; or with -e promote_again=true",
        )
    elif pull.state == "waiting":
        yield Problem("attention", f"its update waits, {runs}: {pull.why}", "what it says")
    if pull.said and ((device.said or now) - pull.said).total_seconds() > thresholds.PULL_SILENT_S:
        yield Problem(
            "attention",
            f"it looked for no order since {moment(pull.said)}",
            "see `systemctl status facefleet-pull.timer facefleet-pull.service` there, or enrol it anew",
        )


def _camera(name: str, camera: CameraState) -> Iterator[Problem]:
    if camera.paused:
        yield Problem(
            "note",
            f"camera {name} is paused",
            "nothing, if that is wanted; or else playbooks/resume.yml with --limit",
        )
    elif camera.state == STOPPED:
        yield Problem("attention", f"the detector of camera {name} is stopped", f"start it: {_UP}")
    elif camera.state != ONLINE:
        yield Problem(
            "broken",
            f"the detector of camera {name} is {camera.state}",
            f"see its log: {_LOGS}, or start it: {_UP}",
        )
    elif not camera.sees and camera.camera != CAMERA_STARTING:
        yield Problem(
            "broken",
            f"camera {name} is blind: {camera.camera}",
            "what it says, if it says that; or else its cable and power, or its source in host_vars",
        )
