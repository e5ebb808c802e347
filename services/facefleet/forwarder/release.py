"""Which release the host runs, and how it stands with its updates.

Not settings: one that changes with each release would start each service anew with each release.
"""

import json
from pathlib import Path
from typing import Any

_MOST = 64
_PULL_MOST = 4096


def running_release(shown: Path) -> str:
    """Return the name that the host shows in the file `release`; nothing where it shows none."""
    try:
        with (shown / "release").open("rb") as file:
            return file.read(_MOST).decode("ascii", "replace").strip()
    except OSError:
        return ""


def updates(shown: Path) -> dict[str, Any] | None:
    """Return what the puller shows in the file `pull.json`; None where the host does not pull."""
    try:
        with (shown / "pull.json").open("rb") as file:
            said = json.loads(file.read(_PULL_MOST))
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
