"""Make the parts of a bundle and put them together; the role `bundle` calls this.

Each verb reads what it shall do from standard input, as JSON, and says on standard output what came of it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from facefleet.bundle import mirror, packing, wheels
from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import Manifest


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m facefleet.bundle", description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=_VERBS)
    verb = _VERBS[parser.parse_args().verb]
    try:
        print(json.dumps(verb(json.load(sys.stdin))))
    except BundleError as error:
        sys.exit(f"The bundle cannot be made: {error}")


def _wheels(told: dict[str, Any]) -> dict[str, Any]:
    folder, changed = wheels.fetch(
        Path(told["lock"]), told["python"], told["architecture"], Path(told["cache"]) / "wheels"
    )
    return {"folder": str(folder), "changed": changed}


def _packages(told: dict[str, Any]) -> dict[str, Any]:
    wanted = mirror.Wanted(
        told["architecture"],
        told["sources"],
        told["groups"],
        [mirror.Extra(**extra) for extra in told["extras"]],
    )
    folder, changed = mirror.fetch(wanted, Path(told["cache"]) / "packages" / told["name"])
    return {"folder": str(folder), "changed": changed}


def _pack(told: dict[str, Any]) -> dict[str, Any]:
    """Put all files of the named folders and files into the bundle, in a fixed order."""
    files = dict(sorted(_found(told["contents"])))
    # The release first, so that who looks into a bundle sees soon what it is.
    names = sorted(files, key=lambda name: ("/" in name, name))
    parts = [packing.part(name, files[name]) for name in names]
    manifest = Manifest(parts=parts, **told["about"])
    signer = packing.Signer.load(Path(told["key"]), Path(told["passphrase_file"]))
    bundle = Path(told["bundle"])
    changed = not packing.is_packed(bundle, manifest, signer)
    if changed:
        packing.pack(bundle, manifest, files, signer)
    return {"changed": changed, "bytes": bundle.stat().st_size, "parts": len(parts)}


def _found(contents: dict[str, str]) -> list[tuple[str, Path]]:
    """Return each file with its name in the bundle. What two folders have alike is one part."""
    found = []
    for source, name in contents.items():
        path = Path(source)
        if path.is_file():
            found.append((name, path))
        else:
            found += [
                (f"{name}/{file.relative_to(path)}", file) for file in path.rglob("*") if file.is_file()
            ]
    return found


_VERBS = {"wheels": _wheels, "packages": _packages, "pack": _pack}

if __name__ == "__main__":
    main()
