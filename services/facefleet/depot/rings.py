"""Who may have an edition already. Pure.

The canaries, ring 0, may have it at once. Another ring may have it when each device of the rings before it
that was ordered the edition has run it well for the soak time. One that failed closes later rings for good.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from facefleet.depot.order import Ordered
from facefleet.depot.report import Standing, Verdict


class Hindrance(NamedTuple):
    """A device that others have to wait for."""

    device: str
    why: str
    for_good: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.device} {self.why}"


def hindrances(
    order: Ordered, edition: Iterable[Ordered], standings: Mapping[str, Standing], now: datetime
) -> list[Hindrance]:
    """Return whom an order waits for, those first that it waits for in vain; none if its ring is open.

    Args:
        order: what somebody may have or not.
        edition: the newest orders of that edition, one a device; who does not count is left out.
        standings: what each device said.
        now: by the clock that the verdicts were given by.
    """
    found = []
    for other in edition:
        if other.ring < order.ring:
            standing = standings.get(other.device)
            verdict = standing.editions.get(order.edition) if standing else None
            if hindrance := _hindrance(other.device, verdict, timedelta(seconds=order.soak_s), now):
                found.append(hindrance)
    return sorted(found, key=lambda each: (not each.for_good, each.device))


def _hindrance(device: str, verdict: Verdict | None, soak: timedelta, now: datetime) -> Hindrance | None:
    if verdict and verdict.failed:
        return Hindrance(device, "failed at it", for_good=True)
    if not verdict or not verdict.ok:
        return Hindrance(device, "does not run it yet")
    left = verdict.ok + soak - now
    if left > timedelta(0):
        return Hindrance(device, f"has to run it for {-(-left.total_seconds() // 1):.0f} s more")
    return None
