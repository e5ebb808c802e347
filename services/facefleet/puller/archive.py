"""An archive for `docker load`, made of blobs, that holds only what the engine lacks."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from facefleet.puller.order import Blob, Image


def write(target: BinaryIO, images: Iterable[Image], layers: Mapping[str, Blob], folder: Path) -> None:
    """Write it; a layer stays compressed, as the engine unpacks it itself."""
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for diff_id, blob in layers.items():
            _add(archive, _name(diff_id), folder / blob.sha256)
        manifest = []
        for image in images:
            config = f"{image.config.sha256}.json"
            _add(archive, config, folder / image.config.sha256)
            manifest.append(
                {
                    "Config": config,
                    "RepoTags": [image.ref],
                    "Layers": [_name(layer.diff_id) for layer in image.layers],
                }
            )
        text = json.dumps(manifest).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))


def _name(diff_id: str) -> str:
    return diff_id.removeprefix("sha256:") + ".tar"


def _add(archive: tarfile.TarFile, name: str, file: Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = file.stat().st_size
    with file.open("rb") as content:
        archive.addfile(entry, content)
