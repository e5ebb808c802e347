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
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTATION = """
module: image_archive
short_description: Writes images to an archive, without the layers that the reader has
description:
  - Writes images of this machine's engine to a compressed archive that C(docker load) reads.
  - An engine looks for no layer in the archive that it has on top of the same others; such are left out.
  - The archive is named after what is in it. However many hosts ask for it at once, it is written once.
  - The same content is the same bytes: a host that has a part goes on with an archive that was written anew.
  - Or it takes them apart, for hosts that fetch by themselves; each layer is compressed once, into a file
    that is named after its hash.
options:
  form:
    type: str
    choices: [archive, blobs]
    default: archive
    description: "One archive, or a file for each layer and each image's description"
  images: {type: list, elements: str, required: true, description: References of the images}
  present:
    type: list
    elements: raw
    default: []
    description: Of each image that the reader has, the layers' digests, the lowest first
  folder: {type: path, required: true, description: Folder for archives}
  level: {type: int, default: 1, description: "How hard gzip tries: 0 to 9"}
author: Facefleet
"""

RETURN = """
path: {type: str, returned: for an archive, description: The archive}
bytes: {type: int, returned: for an archive, description: Its size}
sha256: {type: str, returned: for an archive, description: Its hash}
layers: {type: int, returned: for an archive, description: Layers in it}
left_out: {type: int, returned: for an archive, description: Layers that the reader has}
images:
  type: dict
  returned: for blobs
  description: "Of each image its id, and sha256 and size of its description (config) and of each layer"
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


def take_apart(images: list[str], folder: Path, level: int) -> tuple[dict[str, Any], bool]:
    """Have a file for each layer and each image's description; tell of each image what it is made of."""
    records = folder / "layers"
    records.mkdir(mode=0o755, parents=True, exist_ok=True)
    found = json.loads(docker("image", "inspect", *images))
    facts = dict(zip(images, found, strict=True))
    known = {record.stem: json.loads(record.read_text()) for record in records.glob("*.json")}
    known = {name: blob for name, blob in known.items() if (folder / blob["sha256"]).exists()}
    new = [
        ref
        for ref, image in facts.items()
        if not (folder / _hex(image["Id"])).exists()
        or {_hex(each) for each in image["RootFS"]["Layers"]} - known.keys()
    ]
    if new:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            saved = Path(scratch) / "saved.tar"
            docker("image", "save", "--output", str(saved), *new)
            _compress(saved, folder, records, known, level)
    made = {ref: _parts(image, folder, known) for ref, image in facts.items()}
    _forget_others(folder, records, made)
    return made, bool(new)


def _compress(saved: Path, folder: Path, records: Path, known: dict[str, Any], level: int) -> None:
    """Write what is not there yet, each file whole or not at all."""
    with tarfile.open(saved) as source:
        for image in json.load(_member(source, "manifest.json")):
            config = _member(source, image["Config"]).read()
            _settle(folder, lambda out, content=config: out.write(content))  # type: ignore[misc]
            for layer, path in zip(json.loads(config)["rootfs"]["diff_ids"], image["Layers"], strict=True):
                if _hex(layer) in known:
                    continue

                def pack(out: BinaryIO, path: str = path) -> None:
                    with gzip.GzipFile(
                        fileobj=out, mode="wb", filename="", compresslevel=level, mtime=0
                    ) as packed:
                        shutil.copyfileobj(_member(source, path), packed, _CHUNK)

                known[_hex(layer)] = _settle(folder, pack)
                (records / f"{_hex(layer)}.json").write_text(json.dumps(known[_hex(layer)]))


def _settle(folder: Path, fill: Callable[[BinaryIO], Any]) -> dict[str, Any]:
    """Name a file after what is in it."""
    draft = folder / f".{os.getpid()}"
    with draft.open("wb") as out:
        fill(out)
    sha256, size = hash_of(draft), draft.stat().st_size
    draft.chmod(0o644)
    draft.rename(folder / sha256)
    return {"sha256": sha256, "size": size}


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    found = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _parts(image: dict[str, Any], folder: Path, known: dict[str, Any]) -> dict[str, Any]:
    config = _hex(image["Id"])
    if not (folder / config).exists():
        raise EngineError(
            "the engine names images by another hash than of their description, as containerd's store does; "
            'switch that off in its daemon.json ("features": {"containerd-snapshotter": false})'
        )
    return {
        "id": image["Id"],
        "config": {"sha256": config, "size": (folder / config).stat().st_size},
        "layers": [{"diff_id": layer, **known[_hex(layer)]} for layer in image["RootFS"]["Layers"]],
    }


def _forget_others(folder: Path, records: Path, made: dict[str, Any]) -> None:
    """Remove what none of these images has."""
    layers = {_hex(layer["diff_id"]) for image in made.values() for layer in image["layers"]}
    blobs = {blob["sha256"] for image in made.values() for blob in (image["config"], *image["layers"])}
    for record in records.glob("*.json"):
        if record.stem not in layers:
            record.unlink()
    for file in folder.iterdir():
        if file.is_file() and len(file.name) == len(hashlib.sha256().hexdigest()) and file.name not in blobs:
            file.unlink()


def _hex(digest: str) -> str:
    return digest.split(":", 1)[-1]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "form": {"type": "str", "choices": ["archive", "blobs"], "default": "archive"},
            "images": {"type": "list", "elements": "str", "required": True},
            "present": {"type": "list", "elements": "raw", "default": []},
            "folder": {"type": "path", "required": True},
            "level": {"type": "int", "default": 1},
        }
    )
    images: list[str] = sorted(set(module.params["images"]))
    try:
        if module.params["form"] == "blobs":
            made, changed = take_apart(images, Path(module.params["folder"]), module.params["level"])
            module.exit_json(changed=changed, images=made)
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
        sha256=hash_of(archive),
        layers=len(needed),
        left_out=len(every) - len(needed),
    )


if __name__ == "__main__":
    main()
