"""Make a small repository of Debian packages for another release and machine than this one.

An apt with folders of its own believes that nothing is installed, so it fetches what the packages depend on,
down to the C library: whatever a host lacks is there. It checks the archive's signature, as it always does.
"""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from facefleet.bundle.errors import BundleError

EXTRAS = "extras"
"""Folder in the repository for packages that apt does not see."""
_URI = re.compile(r"^'(?P<uri>[^']+)' (?P<file>\S+) \d+", re.MULTILINE)


@dataclass(frozen=True)
class Extra:
    """A single package of another release, that a role unpacks by itself; apt does not see it."""

    uri: str
    sha256: str


@dataclass(frozen=True)
class Wanted:
    """Packages for one release of a distribution on one machine."""

    architecture: str
    sources: list[str]
    """Lines as in sources.list."""
    groups: list[list[str]]
    """Names of packages that a role installs at once."""
    extras: list[Extra]


class Apt:
    """apt with folders of its own below one, in a state that knows no installed package."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        for part in ("lists/partial", "archives/partial", "none/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("".join(f"{line}\n" for line in wanted.sources))
        self.archives = folder / "archives"
        self._none = folder / "none"
        settings = {
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": self.archives,
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Architecture": wanted.architecture,
            "APT::Architectures": wanted.architecture,
            "APT::Default-Release": "",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            "APT::Get::AllowUnauthenticated": "false",
            "Acquire::Retries": "3",
        }
        self._options = [f"--option={name}={value}" for name, value in settings.items()]

    def update(self) -> None:
        """Fetch the indexes, and check who signed them."""
        self._run("apt-get", "update", "--quiet")

    def names(self, group: list[str]) -> list[str]:
        """Return what a group comes to, as the files that apt calls them."""
        option = f"--option=Dir::Cache::archives={self._none}"
        told = self._run("apt-get", option, "--quiet=2", "--print-uris", "install", *group)
        return [found["file"] for found in _URI.finditer(told)]

    def download(self, group: list[str]) -> None:
        """Fetch what a group comes to and was not fetched before."""
        self._run("apt-get", "--quiet=2", "--yes", "--download-only", "install", *group)

    def describe(self, packages: list[str]) -> list[str]:
        """Return what the index says of `name=version` each."""
        return [text for text in self._run("apt-cache", "show", *packages).split("\n\n") if text.strip()]

    def fetch_extra(self, extra: Extra, to: Path) -> None:
        """Fetch a single package by its hash, unless it was before."""
        to.parent.mkdir(exist_ok=True)
        kept = self.archives / to.name
        if not kept.exists() or _sum(kept) != extra.sha256:
            self._helper(extra, kept)
        os.link(kept, to)

    def _helper(self, extra: Extra, to: Path) -> None:
        self._run("/usr/lib/apt/apt-helper", "download-file", extra.uri, str(to), f"SHA256:{extra.sha256}")

    def _run(self, program: str, *arguments: str) -> str:
        command = [program, *self._options, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise BundleError(
                f"{program} {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-2000:]}"
            )
        return done.stdout


def fetch(wanted: Wanted, cache: Path) -> tuple[Path, bool]:
    """Return the folder of the repository, and whether anything in it is another than before."""
    apt = Apt(cache / "apt", wanted)
    apt.update()
    files = sorted({name for group in wanted.groups for name in apt.names(group)})
    for group in wanted.groups:
        apt.download(group)
    stanzas = {_field(text, "Package"): text for text in apt.describe([_version_of(file) for file in files])}
    folder, coming = cache / "repository", cache / "repository.coming"
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir()
    for file in files:
        _place(apt.archives / file, stanzas[file.partition("_")[0]], coming)
    for extra in wanted.extras:
        apt.fetch_extra(extra, coming / EXTRAS / Path(extra.uri).name)
    (coming / "Packages").write_text("".join(f"{_flat(text)}\n\n" for _, text in sorted(stanzas.items())))
    if _sums(coming) == _sums(folder):
        shutil.rmtree(coming)
        return folder, False
    shutil.rmtree(folder, ignore_errors=True)
    coming.rename(folder)
    return folder, True


def _version_of(file: str) -> str:
    """Return `name=version` of what apt calls a file."""
    name, version, _ = file.split("_")
    return f"{name}={unquote(version)}"


def _field(stanza: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", stanza, re.MULTILINE)
    if not found:
        raise BundleError(f"the index of packages says no {name}: {stanza[:200]}")
    return found[1]


def _flat(stanza: str) -> str:
    """Return what the index says of a package, for a repository that is one folder."""
    name = Path(_field(stanza, "Filename")).name
    return re.sub(r"^Filename: .*$", f"Filename: ./{name}", stanza.strip(), count=1, flags=re.MULTILINE)


def _place(archive: Path, stanza: str, folder: Path) -> None:
    """Put a package into the repository, by a name without an epoch, which apt would take for an escape."""
    if _sum(archive) != _field(stanza, "SHA256"):
        archive.unlink()
        raise BundleError(f"{archive.name} is not what the index says; it was removed: run this again")
    os.link(archive, folder / Path(_field(stanza, "Filename")).name)


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sums(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): _sum(path) for path in folder.rglob("*") if path.is_file()}
