"""Read a bundle once from front to back, checking each part while it is written."""

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import INSTALLER, KEY, SIGNATURE, Manifest, Part

CHUNK = 1 << 20
AGAIN = "Copy it again from where it was made; nothing was installed"
Progress = Callable[[str, int], None]
"""Is told the name of the part, and how many bytes of all parts are done."""
_Member = tuple[str, int, IO[bytes]]


def silent(_name: str, _done: int) -> None:
    """Show no progress."""


def check(bundle: Path, manifest: Manifest, progress: Progress = silent) -> None:
    """Read all of a bundle; raises BundleError, which names the part, if it is not what the manifest says."""
    _Reading(bundle, None, progress).read(manifest)


def unpack(bundle: Path, manifest: Manifest, folder: Path, progress: Progress = silent) -> None:
    """Write the parts into a folder, which is there afterwards if all of them are right, or else is not."""
    coming = folder.with_name(folder.name + ".coming")
    above = folder.parent.exists()
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir(parents=True)
    try:
        _refuse_without_room(manifest, coming)
        _Reading(bundle, coming, progress).read(manifest)
        (coming / "manifest.json").write_text(manifest.to_json())
        if folder.exists():
            shutil.rmtree(folder)
        coming.rename(folder)
    except BaseException:
        shutil.rmtree(coming if above else folder.parent, ignore_errors=True)
        raise


def is_unpacked(manifest: Manifest, folder: Path) -> bool:
    """Tell whether a folder holds just this bundle's parts, by their names and sizes."""
    told = folder / "manifest.json"
    if not told.is_file() or told.read_text() != manifest.to_json():
        return False
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path != told
    }
    return files == {part.name: part.size for part in manifest.parts}


def _refuse_without_room(manifest: Manifest, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < manifest.size:
        raise BundleError(
            f"{folder.parent} has {free / 1e6:,.0f} MB free; the bundle takes {manifest.size / 1e6:,.0f}: "
            "free some, or name another folder with --into"
        )


class _Reading:
    """One way through a bundle; without a folder nothing is written."""

    def __init__(self, bundle: Path, folder: Path | None, progress: Progress) -> None:
        self._bundle = bundle
        self._folder = folder
        self._progress = progress
        self._done = 0

    def read(self, manifest: Manifest) -> None:
        try:
            with self._bundle.open("rb") as file:
                members = self._members(file)
                for part in manifest.parts:
                    self._take(next(members, None), part)
                if (beside := next(members, None)) is not None:
                    raise BundleError(
                        f"{self._bundle.name} holds {beside[0]}, which its manifest does not name. {AGAIN}"
                    )
        except OSError as error:
            raise BundleError(f"{self._bundle} cannot be read or unpacked: {error}") from error

    def _members(self, file: IO[bytes]) -> Iterator[_Member]:
        """Yield name, size and content of each part. What comes before them runs: openssl has checked it."""
        try:
            with tarfile.open(fileobj=file, mode="r|") as archive:
                for entry in archive:
                    if entry.name in (INSTALLER, SIGNATURE, KEY):
                        continue
                    content = archive.extractfile(entry) if entry.isfile() else None
                    if content is None:
                        raise BundleError(f"{entry.name} in {self._bundle.name} is no file. {AGAIN}")
                    yield entry.name, entry.size, content
        except tarfile.TarError as error:
            raise BundleError(f"{self._bundle.name} is cut off or damaged: {error}. {AGAIN}") from error

    def _take(self, member: _Member | None, part: Part) -> None:
        """Check a part, and write it."""
        if member is None:
            raise BundleError(
                f"{self._bundle.name} is cut off or damaged before its part {part.name}. {AGAIN}"
            )
        name, size, content = member
        if (name, size) != (part.name, part.size):
            raise BundleError(
                f"{self._bundle.name} has {name} ({size} bytes) where its part {part.name} ({part.size}) "
                f"should be: it was changed or damaged. {AGAIN}"
            )
        if self._folder is None:
            digest = self._copy(content, part, None)
        else:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as target:
                digest = self._copy(content, part, target)
        if digest != part.sha256:
            raise BundleError(
                f"the part {part.name} of {self._bundle.name} is not what was signed: "
                f"it was changed or damaged. {AGAIN}"
            )

    def _copy(self, content: IO[bytes], part: Part, target: IO[bytes] | None) -> str:
        """Return the SHA-256 of what was read, a chunk at a time."""
        digest = hashlib.sha256()
        try:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
                if target:
                    target.write(chunk)
                self._done += len(chunk)
                self._progress(part.name, self._done)
        except tarfile.TarError as error:
            raise BundleError(f"{self._bundle.name} is cut off in its part {part.name}. {AGAIN}") from error
        return digest.hexdigest()
