"""What is in a bundle: each part with its size and SHA-256, and what it is good for."""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Self

from facefleet.bundle.errors import BundleError

VERSION = 1
INSTALLER, SIGNATURE, KEY = "install", "install.sig", "signer.pub"
"""The first members of a bundle. The installer carries the manifest, so one signature is enough."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]*(/[A-Za-z0-9][A-Za-z0-9.+~_-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Part:
    """A file in a bundle; its name is its path there."""

    name: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuse what no bundle can hold."""
        if not _NAME.fullmatch(self.name) or self.name in (INSTALLER, SIGNATURE, KEY):
            raise BundleError(f"{self.name!r} cannot be the name of a part of a bundle")
        if self.size < 0 or not _SHA256.fullmatch(self.sha256):
            raise BundleError(f"the manifest says of {self.name} no size and SHA-256 that can be")


@dataclass(frozen=True)
class Manifest:
    """A bundle's table of contents, the parts in the order in which they lie in it."""

    release: str
    commit: str
    parts: list[Part]
    hosts: list[str]
    """For whom there are packages, as `debian-13-amd64`."""
    control: dict[str, str]
    """Those who can be the control host, and with which Python: `debian-13-amd64` to `3.13`."""
    images: dict[str, str] = field(default_factory=dict)
    """Reference to identity of each image."""

    def __post_init__(self) -> None:
        """Refuse two of one name."""
        names = [part.name for part in self.parts]
        if len(set(names)) != len(names):
            raise BundleError("the manifest names a part twice")

    @property
    def size(self) -> int:
        """Return how many bytes all parts take."""
        return sum(part.size for part in self.parts)

    def to_json(self) -> str:
        """Return it as text, the same for the same contents."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        try:
            told = json.loads(text)
            if told.pop("version") != VERSION:
                raise BundleError("the manifest is of another version: use the installer of this very bundle")
            parts = [Part(**part) for part in told.pop("parts")]
            return cls(parts=parts, **told)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the manifest cannot be read: {error}") from error
