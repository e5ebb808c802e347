"""The installer: one file of Python with the manifest in it, which is what is signed."""

import io
import zipfile
from pathlib import Path

from facefleet.bundle.manifest import Manifest

PACKAGE = Path(__file__).parent
MANIFEST = "manifest.json"
_MODULES = ("__init__", "errors", "manifest", "unpacking", "progress", "release", "machine", "installing")
_MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("install: this Python is too old; run it with one that is in the bundle: python3.11 or newer.")
from facefleet.bundle.installing import main

main()
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(manifest: Manifest) -> bytes:
    """Return the installer; the same for the same manifest and sources."""
    files = {
        "__main__.py": _MAIN,
        MANIFEST: manifest.to_json(),
        "facefleet/__init__.py": (PACKAGE.parent / "__init__.py").read_text(),
        **{f"facefleet/bundle/{name}.py": (PACKAGE / f"{name}.py").read_text() for name in _MODULES},
    }
    made = io.BytesIO(b"")
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_STORED  # zlib's output differs from version to version
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return made.getvalue()
