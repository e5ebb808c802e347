"""`python -m facefleet.forget`: count or delete what a bucket holds of a device, camera or span of time.

Prints one line of JSON. `--delete` makes one pass or a part of one: call it until a whole pass finds nothing.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice

from facefleet.forget.account import Account, Found
from facefleet.forget.bucket import BATCH_MOST, Bucket, BucketError, Refusal
from facefleet.forget.selection import SelectionError, select
from facefleet.runtime.settings import SettingsError, load
from facefleet.storage.s3 import S3Settings

TELL_EVERY_S = 5.0
REFUSALS_SHOWN = 20


def plan(bucket: Bucket, found: Iterable[Found]) -> dict[str, object]:
    """Count what is meant."""
    account = Account()
    for each in _telling("counted", found):
        account.add(each)
    return {"where": bucket.where, **account.figures()}


def delete(bucket: Bucket, found: Iterable[Found], seconds: float) -> dict[str, object]:
    """Delete what is meant until the time is up; `whole` says that all was looked at."""
    deadline = time.monotonic() + seconds
    account = Account()
    refused: list[Refusal] = []
    left = iter(_telling("deleted", found))
    whole = False
    while not whole and time.monotonic() < deadline:
        batch = list(islice(left, BATCH_MOST))
        whole = len(batch) < BATCH_MOST
        if not batch:
            break
        refused += bucket.erase(batch, account)
    return {
        "where": bucket.where,
        **account.figures(),
        "whole": whole,
        "refused": len(refused),
        "refusals": [each._asdict() for each in refused[:REFUSALS_SHOWN]],
    }


def main() -> None:
    """Read the options, then the bucket; ends the process, 1 when something could not be done."""
    options = _options()
    try:
        selection = select(device=options.device, camera=options.camera, begin=options.begin, end=options.end)
        if options.check:
            print(json.dumps({"selection": str(selection)}))
            return
        bucket = Bucket(load(S3Settings, os.environ))
        found = bucket.selected(selection)
        said = plan(bucket, found) if options.plan else delete(bucket, found, options.seconds)
    except SettingsError as error:
        sys.exit("\n".join(error.problems))
    except (SelectionError, BucketError) as error:
        sys.exit(str(error))
    print(json.dumps({"selection": str(selection), **said}))
    if said.get("refused"):
        sys.exit(f"{said['refused']} versions were not deleted")


def _telling(what: str, found: Iterable[Found]) -> Iterator[Found]:
    """Say now and then how far it is, for who waits at a terminal."""
    told = time.monotonic()
    for number, each in enumerate(found):
        if time.monotonic() - told >= TELL_EVERY_S:
            told = time.monotonic()
            print(f"{what} {number:,}, now at {each.key}", file=sys.stderr, flush=True)
        yield each


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="facefleet-forget", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="only check the selection, and say it in words")
    what.add_argument("--plan", action="store_true", help="count what would be deleted")
    what.add_argument("--delete", action="store_true", help="delete it for ever, all versions")
    parser.add_argument("--device", default="", help="of this device only")
    parser.add_argument("--camera", default="", help="of this camera of the device only")
    parser.add_argument("--from", dest="begin", default="", metavar="TIME", help="from this moment on, UTC")
    parser.add_argument("--to", dest="end", default="", metavar="TIME", help="before this moment, UTC")
    parser.add_argument(
        "--seconds", type=float, default=3600.0, help="end a part of a pass after this time (%(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
