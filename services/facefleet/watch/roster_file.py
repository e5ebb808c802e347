"""The roster on disk: `since` survives a restart."""

import os
from pathlib import Path

from facefleet.fleet.roster import Roster, RosterError
from facefleet.runtime import logs

_log = logs.get("watch")


def load(file: Path) -> Roster:
    """Return the roster of before; one that cannot be read is begun anew, as the devices say the rest."""
    try:
        return Roster.from_json(file.read_bytes())
    except FileNotFoundError:
        return Roster()
    except (OSError, RosterError) as error:
        _log.warning(
            "roster begun anew: since when devices are as they are is lost", file=str(file), reason=error
        )
        return Roster()


def save(file: Path, text: str) -> None:
    """Write it whole or not at all.

    Raises:
        OSError: the disk does not take it; what was there stays.
    """
    draft = file.with_suffix(".new")
    with draft.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
