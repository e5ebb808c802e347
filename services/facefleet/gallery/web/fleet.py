"""The fleet's page: the same table that playbooks/status.yml prints, what is wrong first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from facefleet.fleet.roster import Entry, Roster, RosterError
from facefleet.fleet.verdict import SEVERITIES, Problem, Severity, problems, problems_below, worst
from facefleet.fleet.words import left, moment, size, span, standing
from facefleet.gallery.web.parts import Parts

SEE = "see its log, or run playbooks/status.yml -e status_from=devices"


class Shown(NamedTuple):
    """A device, and what is wrong with it."""

    entry: Entry
    problems: list[Problem]
    worst: Severity | None


class FleetPage:
    """Asks the watch for the roster at each view."""

    def __init__(self, parts: Parts, fetch: Callable[[], bytes]) -> None:
        self._parts = parts
        self._fetch = fetch

    async def page(self, request: Request) -> Response:
        """Show all devices, the worst first."""
        now = datetime.now(UTC)
        trouble, roster = "", Roster()
        try:
            roster = Roster.from_json(await run_in_threadpool(self._fetch))
        except OSError as error:
            trouble = f"The watch does not answer ({error}): {SEE}"
        except RosterError as error:
            trouble = str(error)
        content = {
            "session": request.state.session,
            "trouble": trouble,
            "devices": in_order(roster, now),
            "certificates": roster.foundation.ends,
            "below": below(roster, now),
            "worst": worst,
            "left": lambda ends: left(ends, now),
            "now": now,
            "ago": lambda time: "never" if time is None else f"{span((now - time).total_seconds())} ago",
            "span": span,
            "size": size,
            "moment": moment,
            "standing": standing,
        }
        return self._parts.templates.TemplateResponse(request, "fleet.html", content)


def below(roster: Roster, now: datetime) -> list[Problem]:
    """Return what is wrong with what all devices stand on, each with its name."""
    found = problems_below(roster.foundation, now)
    return [
        replace(problem, what=f"{name}: {problem.what}") for name, told in found.items() for problem in told
    ]


def in_order(roster: Roster, now: datetime) -> list[Shown]:
    """Return the devices, those with the worst problems first, and then by name."""
    shown = [
        Shown(entry, found, worst(found)) for entry in roster.entries for found in [problems(entry, now)]
    ]
    return sorted(shown, key=lambda each: (_rank(each.worst), each.entry.name))


def _rank(how_bad: Severity | None) -> int:
    return SEVERITIES.index(how_bad) if how_bad and how_bad != "note" else len(SEVERITIES)
