"""`python -m tests.bench`: every comparison in one run, one table, and the same as JSON."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import (
    bench_client,
    bench_delivery,
    bench_forward,
    bench_gallery,
    bench_latency,
    bench_puts,
    bench_rollout,
    bench_spool,
)
from tests.bench.table import Row, render, say

Bench = Callable[[bool], Iterable[Row]]

BENCHES: dict[str, Bench] = {
    "spool": lambda smoke: bench_spool.run(smoke=smoke),
    "puts": lambda smoke: bench_puts.run(1, 0.3) if smoke else bench_puts.run(3, 2.0),
    "client": lambda smoke: bench_client.run(smoke=smoke),
    "forward": lambda smoke: bench_forward.run(smoke=smoke),
    "gallery": lambda smoke: bench_gallery.run(smoke=smoke),
    "latency": lambda smoke: bench_latency.run(smoke=smoke),
    "rollout": lambda smoke: bench_rollout.run(smoke=smoke),
    "delivery": lambda smoke: bench_delivery.run(smoke=smoke),
}
UNASKED = [name for name in BENCHES if name not in {"rollout", "delivery"}]
"""The others make hosts first: `make fleet`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHES, action="append", help="one of them; may be repeated")
    parser.add_argument("--json", type=Path, help="also write everything into this file")
    parser.add_argument("--smoke", action="store_true", help="a tenth of the load; the figures say nothing")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a target is not reached")
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.only or UNASKED:
        say(f"{name} ...", sys.stderr)
        rows.extend(BENCHES[name](options.smoke))
    say(render(rows, smoke=options.smoke))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report(rows, smoke=options.smoke), indent=1) + "\n")
    missed = [row for row in rows if row.reached is False]
    return 1 if missed and options.strict and not options.smoke else 0


def report(rows: list[Row], *, smoke: bool) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "smoke": smoke,
        "machine": {
            "processors": os.cpu_count(),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
        "rows": [row.as_json() for row in rows],
    }


if __name__ == "__main__":
    sys.exit(main())
