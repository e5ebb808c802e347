#!/usr/bin/python
"""Write an archive for `docker load` that holds of some images only the layers that a host lacks."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import operator
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: image_archive
short_description: Writes images to an archive, without the layers that the reader has
description:
  - Writes images of this machine's engine to a compressed archive that C(docker load) reads.
  - An engine looks for no layer in the archive that it has on top of the same others; such are left out.
  - The archive is named after what is in it. However many hosts ask for it at once, it is written once.
  - The same content is the same bytes: a host that has a part goes on with an archive that was written anew.
options:
  images: {type: list, elements: str, required: true, description: References of the images}
  present:
    type: list
    elements: raw
    required: true
    description: Of each image that the reader has, the layers' digests, the lowest first
  folder: {type: path, required: true, description: Folder for archives}
  level: {type: int, default: 1, description: "How hard gzip tries: 0 to 9"}
author: Facefleet
"""

RETURN = """
path: {type: str, returned: always, description: The archive}
bytes: {type: int, returned: always, description: Its size}
layers: {type: int, returned: always, description: Layers in it}
left_out: {type: int, returned: always, description: Layers that the reader has}
"""

_CHUNK = 1024 * 1024


class EngineError(Exception):
    """The engine did not do what it was asked; the text is its own."""


def docker(*arguments: str) -> bytes:
    """Return what the engine's client says."""
    done = subprocess.run(["docker", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise EngineError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def layers_of(images: list[str]) -> dict[str, list[str]]:
    """Return the layers of each image, the lowest first."""
    found = json.loads(docker("image", "inspect", *images))
    return {image: facts["RootFS"]["Layers"] for image, facts in zip(images, found, strict=True)}


def lacking(wanted: list[list[str]], present: list[list[str]]) -> list[str]:
    """Return the layers that a reader needs who has some images already."""
    known = {tuple(layers[:depth]) for layers in present for depth in range(1, len(layers) + 1)}
    return sorted(
        {layers[i] for layers in wanted for i in range(len(layers)) if tuple(layers[: i + 1]) not in known}
    )


def rewrite(saved: Path, archive: BinaryIO, needed: set[str]) -> None:
    """Copy what `docker save` wrote, without the layers that are not needed, each layer once.

    The engine writes images and their names in any order; here it is always the same.
    """
    written: set[str] = set()
    with tarfile.open(saved) as source, tarfile.open(fileobj=archive, mode="w|") as target:
        manifest = json.load(_member(source, "manifest.json"))
        for image in manifest:
            image["RepoTags"].sort()
        manifest.sort(key=operator.itemgetter("RepoTags"))
        for image in manifest:
            config = _member(source, image["Config"]).read()
            layers = json.loads(config)["rootfs"]["diff_ids"]
            for layer, path in zip(layers, image["Layers"], strict=True):
                if layer in needed and layer not in written:
                    written.add(layer)
                    file = _member(source, path)
                    _add(target, _name(layer), file, file.seek(0, os.SEEK_END))
            image["Config"] = hashlib.sha256(config).hexdigest() + ".json"
            image["Layers"] = [_name(layer) for layer in layers]
            if image["Config"] not in written:
                written.add(image["Config"])
                _add(target, image["Config"], io.BytesIO(config), len(config))
        text = json.dumps(manifest).encode()
        _add(target, "manifest.json", io.BytesIO(text), len(text))


def _name(layer: str) -> str:
    return layer.removeprefix("sha256:") + ".tar"


def _member(source: tarfile.TarFile, path: str) -> Any:
    file = source.extractfile(path)
    if file is None:
        raise EngineError(f"docker save wrote no {path}")
    return file


def _add(target: tarfile.TarFile, name: str, content: Any, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    content.seek(0)
    target.addfile(entry, content)


def write(archive: Path, images: list[str], needed: set[str], level: int) -> None:
    """Write the archive, all of it or nothing."""
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        saved, made = Path(folder) / "saved.tar", Path(folder) / "made.tar.gz"
        docker("image", "save", "--output", str(saved), *images)
        with gzip.GzipFile(made, "wb", compresslevel=level, mtime=0) as packed:
            rewrite(saved, packed, needed)  # type: ignore[arg-type]
        made.chmod(0o644)  # who copies it may be another user
        made.rename(archive)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "images": {"type": "list", "elements": "str", "required": True},
            "present": {"type": "list", "elements": "raw", "required": True},
            "folder": {"type": "path", "required": True},
            "level": {"type": "int", "default": 1},
        }
    )
    images: list[str] = sorted(module.params["images"])
    try:
        wanted = layers_of(images)
        needed = lacking(list(wanted.values()), module.params["present"])
        label = hashlib.sha256(json.dumps([wanted, needed]).encode()).hexdigest()[:12]
        archive = Path(module.params["folder"]) / f"{label}.tar.gz"
        archive.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (archive.parent / f"{label}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            changed = not archive.exists()
            if changed:
                write(archive, images, set(needed), module.params["level"])
    except (EngineError, OSError) as error:
        module.fail_json(f"The images cannot be written to an archive: {error}")
    every = {layer for layers in wanted.values() for layer in layers}
    module.exit_json(
        changed=changed,
        path=str(archive),
        bytes=archive.stat().st_size,
        layers=len(needed),
        left_out=len(every) - len(needed),
    )


if __name__ == "__main__":
    main()
