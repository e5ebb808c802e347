"""What the first release, which had no outbox, counted in a file of its own. Read so that numbers go on."""

import json
from pathlib import Path
from typing import NamedTuple

from facefleet.runtime import logs

_log = logs.get("detector")


class Counted(NamedTuple):
    """How many events a camera had had, and its highest track number."""

    sequence: int = 0
    track: int = 0


def counted_before(file: Path) -> Counted:
    """Return what the file says; without one, or with a damaged one, nothing."""
    try:
        said = json.loads(file.read_text())
        counted = Counted(int(said["sequence"]), int(said["track"]))
    except FileNotFoundError:
        return Counted()
    except (OSError, ValueError, TypeError, KeyError) as error:
        _log.warning("the first release's count cannot be read, left out", file=str(file), reason=str(error))
        return Counted()
    return counted if min(counted) >= 0 else Counted()
