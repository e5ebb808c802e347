"""`python -m tests.chaos --cycles 100 [--only NAME]... [--json FILE]`: the fault campaign.

Exit codes: 0 when nothing was lost or stored twice, 1 when a row fails, 2 when it cannot be run.
"""

import argparse
import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import NoReturn

import docker
from docker.errors import DockerException

from tests.chaos import rows
from tests.chaos.campaign import Campaign, Outcome, newest_images, source_told
from tests.chaos.table import drawn
from tests.images import NoImageError

LONG_FROM = 100
"""Cycles from which on rows that take minutes are run, too."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--cycles", type=int, default=100, help="fault cycles in all, each row once at least")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="rows whose name holds it"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--images", type=json.loads, metavar="JSON", help='{"forwarder": "<reference>", ...}')
    parser.add_argument(
        "--old-images", type=json.loads, metavar="JSON", help="a previous release's, to upgrade from"
    )
    parser.add_argument("--source", type=Path, help="run this package folder instead of the images' code")
    parser.add_argument("--seed", type=int, help="of the random kills")
    parser.add_argument("--list", action="store_true", help="list the rows and end")
    return parser.parse_args()


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(143)


def main() -> int:
    """Run the rows asked for, print the table, return the exit code."""
    options = _options()
    if options.list:
        sys.stdout.write("\n".join(row.name for row in rows.ROWS) + "\n")
        return 0
    signal.signal(signal.SIGTERM, _terminated)
    begun = time.monotonic()
    outcomes: list[Outcome] = []
    try:
        wanted = rows.chosen(options.only, long=options.cycles >= LONG_FROM)
        engine = docker.from_env(timeout=120)
        images = newest_images(engine, options.images)
        old = {**images, **options.old_images} if options.old_images else None
    except (ValueError, NoImageError, DockerException) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    source = options.source.resolve() if options.source else source_told()
    campaign = Campaign(engine, images, old_images=old, source=source, seed=options.seed)
    ended = False
    try:
        with campaign:
            campaign.journal.say(f"seed={campaign.seed}")
            counts = rows.spread(options.cycles, wanted)
            outcomes.extend(campaign.run(row, counts[row.name]) for row in wanted)
        ended = True
    finally:
        engine.close()
        end = "" if ended else "STOPPED before the end, "
        sys.stdout.write(f"\n{drawn(outcomes)}\n\n{end}{time.monotonic() - begun:.0f} s\n")
        sys.stdout.flush()
        if options.json:
            report = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "ended": ended,
                "seed": campaign.seed,
                "images": images,
                "old_images": old,
                "source": str(source) if source else None,
                "rows": [outcome.report() for outcome in outcomes],
            }
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
