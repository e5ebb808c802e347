"""What the control host does in the depot's container.

`python -m facefleet.depot lacking`, `take FOLDER`, `state` or `prune`; each answers with one line of JSON.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from facefleet.depot import layout
from facefleet.depot.access import Access, UnknownError
from facefleet.depot.inbox import Inbox, InboxError
from facefleet.depot.overview import overview
from facefleet.depot.pruning import PruneError, prune
from facefleet.depot.settings import DepotSettings
from facefleet.depot.signing import Signer
from facefleet.depot.store import AT_ONCE, Store
from facefleet.runtime.settings import SettingsError, load
from facefleet.storage.trouble import UnreadableError

SPARE_HOURS = 24.0


def lacking(store: Store, wanted: object) -> list[str]:
    """Return those of the hashes whose blobs are not here, in their order, each once."""
    if not isinstance(wanted, list) or not all(
        isinstance(each, str) and layout.is_digest(each) for each in wanted
    ):
        raise InboxError("say which blobs, as a JSON list of SHA-256 on standard input")
    here = {each.key.removeprefix(layout.BLOBS) for each in store.listing(layout.BLOBS)}
    return [digest for digest in dict.fromkeys(wanted) if digest not in here]


def main(arguments: Sequence[str]) -> None:
    """Do one thing; ends the process, 1 with a sentence when it could not be done."""
    options = _options(arguments)
    try:
        settings = load(DepotSettings, os.environ)
        store = Store(settings)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            print(json.dumps(_done(options, settings, store, pool)))
    except SettingsError as error:
        sys.exit("\n".join(error.problems))
    except (InboxError, PruneError, UnreadableError, UnknownError, json.JSONDecodeError) as error:
        sys.exit(str(error))


def _done(
    options: argparse.Namespace, settings: DepotSettings, store: Store, pool: ThreadPoolExecutor
) -> object:
    def names() -> frozenset[str]:
        return Access(settings.access_dir).names()

    work: dict[str, Callable[[], object]] = {
        "lacking": lambda: lacking(store, json.load(sys.stdin)),
        "take": lambda: Inbox(options.inbox, store, Signer(settings.signer)).take(pool.map),
        "state": lambda: overview(store, names(), datetime.now(UTC), pool.map),
        "prune": lambda: prune(
            store, names(), datetime.now(UTC), timedelta(hours=options.spare_hours), pool.map
        ),
    }
    return work[options.work]()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="facefleet-depot", description=__doc__)
    works = parser.add_subparsers(dest="work", required=True)
    works.add_parser("lacking", help="of the SHA-256 on standard input, say which blobs are not here")
    take = works.add_parser("take", help="check what a folder holds, and store it")
    take.add_argument("inbox", type=Path)
    works.add_parser("state", help="say how all devices stand, and what waits for a signature")
    pruning = works.add_parser("prune", help="take away what nobody needs any more")
    pruning.add_argument(
        "--spare-hours",
        type=float,
        default=SPARE_HOURS,
        help="leave alone what came to the bucket in the last hours (%(default)s)",
    )
    return parser.parse_args(arguments)
