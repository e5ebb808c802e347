"""Which release the host runs.

Not a setting: one that changes with each release would start each service anew with each release.
"""

from pathlib import Path

_MOST = 64


def running_release(shown: Path) -> str:
    """Return the name that the host shows in the file `release`; nothing where it shows none."""
    try:
        with (shown / "release").open("rb") as file:
            return file.read(_MOST).decode("ascii", "replace").strip()
    except OSError:
        return ""
