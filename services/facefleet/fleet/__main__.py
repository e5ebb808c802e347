"""`python -m facefleet.fleet [FILE|URL|-]`: the fleet as a table, from the roster that the watch keeps."""

import argparse
import json
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from facefleet.fleet.roster import NO_ANSWER, NO_STACK, Roster, RosterError, utc_now
from facefleet.fleet.table import table

ANSWER_WITHIN_S = 5.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Read a roster and print it; ends the process, 1 if there is none to read."""
    options = _options(arguments)
    try:
        text = _read(options.source)
        roster = _answers(text) if options.answers else Roster.from_json(text)
    except (OSError, ValueError, RosterError) as error:
        sys.exit(f"{options.source}: {error}")
    now = roster.at or utc_now()
    if options.json:
        print(roster.as_json(now))
        return
    expected = [name for name in options.expected.split(",") if name]
    strangers = [entry.name for entry in roster.entries if expected and entry.name not in expected]
    roster.expect(expected)
    if options.only:
        roster = roster.only(options.only.split(","))
    print(table(roster, now))
    if strangers and not options.only:
        print(
            f"\nNot in the inventory: {', '.join(strangers)}. playbooks/revoke.yml takes out what is no more."
        )


def _read(source: str) -> str:
    if source == "-":
        return sys.stdin.read()
    if source.startswith("http://"):
        with urllib.request.urlopen(source, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310 - http only
            return str(answer.read().decode())
    return Path(source).read_text()


def _answers(text: str) -> Roster:
    """Make a roster of what each device said when asked: its status, "" for none, or why it could not."""
    said = json.loads(text)
    if not isinstance(said, dict):
        raise RosterError("the answers are no object of device and status")
    roster, now = Roster(), utc_now()
    for name, payload in said.items():
        if payload in {NO_ANSWER, NO_STACK}:
            roster.mark_unasked(name, payload)
        elif payload:
            roster.answered(name, str(payload), now)
        else:
            roster.expect([name])
    return roster


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="facefleet-fleet", description=__doc__)
    parser.add_argument(
        "source", nargs="?", default="-", metavar="FILE|URL|-", help="the roster (default: standard input)"
    )
    parser.add_argument(
        "--answers", action="store_true", help="the source is an object of device and status message instead"
    )
    parser.add_argument(
        "--expected", default="", metavar="NAMES", help="devices that should be in it, by comma"
    )
    parser.add_argument("--only", default="", metavar="NAMES", help="show these devices alone")
    parser.add_argument("--json", action="store_true", help="print the roster as JSON, as it came")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
