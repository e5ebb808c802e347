"""Lay out a release of the repository in a folder that may hold an older one, and an operator's inventory."""

import hashlib
import json
import tarfile
from pathlib import Path

from facefleet.bundle.errors import BundleError

PARTS = ".bundle"
"""In that folder: the bundle's parts. Roles take packages from there."""
RECORD = ".release.json"
"""In that folder: each file of the release that was laid out there last, and its SHA-256."""


def lay_out(archive: Path, folder: Path) -> int:
    """Make the folder what the archive says, and return how many files changed.

    What the operator made there (an inventory, say) stays. `refuse_another` has looked before.
    """
    record, before = folder / RECORD, _recorded(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written, now = 0, {}
    with tarfile.open(archive) as source:
        for entry in source:
            content = source.extractfile(entry) if entry.isfile() else None
            if content is None:
                continue
            body = content.read()  # files of a repository: small
            now[entry.name] = hashlib.sha256(body).hexdigest()
            written += _write(folder / entry.name, body, 0o755 if entry.mode & 0o100 else 0o644)
    for name in before.keys() - now.keys():
        (folder / name).unlink(missing_ok=True)
        written += 1
    text = json.dumps(now, indent=1, sort_keys=True) + "\n"
    if not record.exists() or record.read_text() != text:
        record.write_text(text)
    return written


def refuse_another(folder: Path) -> None:
    """Raise BundleError if a folder holds what no installer laid out, or what somebody changed since."""
    before = _recorded(folder)
    if not before and folder.exists() and any(path.name != PARTS for path in folder.iterdir()):
        raise BundleError(f"{folder} holds something else: name another folder with --into, or move it away")
    for name, digest in before.items():
        path = folder / name
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise BundleError(
                f"{path} was changed by hand since it was installed, and this would overwrite it: keep what "
                "you need elsewhere (an inventory of your own is left alone) and delete it"
            )


def _recorded(folder: Path) -> dict[str, str]:
    record = folder / RECORD
    files: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    return files


def _write(path: Path, body: bytes, mode: int) -> bool:
    if path.exists() and path.read_bytes() == body and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    path.chmod(mode)
    return True
