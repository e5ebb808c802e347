#!/usr/bin/python
"""Write down, signed, what each device shall be; on the control host."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: promote_edition
short_description: Writes signed orders for devices that pull
description:
  - What all devices that pull shall be is one edition, named after its content. As long as those that have an
    order shall be what it says, it stays the edition, whoever comes or goes.
  - A device that has an order of the edition already gets no other.
  - Runs on the control host, with its Python.
options:
  repository: {type: path, required: true, description: "Folder with playbooks, roles and compose"}
  wants:
    type: list
    elements: dict
    required: true
    description: "Of each device that pulls: device, ring, soak_s, variables, images, puller"
  only: {type: list, elements: str, required: true, description: Devices that get an order now}
  images: {type: dict, required: true, description: "What image_archive says of each image, taken apart"}
  pullers: {type: dict, required: true, description: "Of each puller its archive: path, sha256, bytes"}
  blobs: {type: path, required: true, description: Folder with the parts of the images}
  trust: {type: str, required: true, description: Authorities (PEM) that devices shall trust}
  newest: {type: dict, required: true, description: "Of each device its order: serial, edition, content"}
  again: {type: bool, default: false, description: Make another edition though nothing changed}
  proved: {type: bool, default: false, description: Order only what was ordered for a ring before}
  signer: {type: path, required: true, description: The key that signs (PEM)}
  passphrase: {type: str, required: true, description: What it is encrypted with}
  inbox: {type: path, required: true, description: "Folder that is filled for the depot; what was in it goes"}
author: Facefleet
"""

RETURN = """
edition: {type: str, returned: always, description: Its name}
ordered: {type: list, elements: str, returned: always, description: Devices that got an order}
waiting: {type: list, elements: str, returned: always, description: Those that got none for want of that}
blobs: {type: dict, returned: always, description: "SHA-256 to file of all that the orders name"}
"""

PARTS = ("ansible.cfg", "playbooks", "roles", "compose")
_LEFT_OUT = {"__pycache__", "tests"}
_NAME_DIGITS = 12


def archive(repository: Path) -> bytes:
    """Return the playbooks and what they need; the same files are the same bytes."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(each for part in PARTS for each in _files(repository / part)):
            entry = tarfile.TarInfo(str(path.relative_to(repository)))
            entry.size = path.stat().st_size
            entry.mode = 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)
    return packed.getvalue()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [each for each in path.rglob("*") if each.is_file() and not _LEFT_OUT & set(each.parts)]


def content_of(want: dict[str, Any], images: dict[str, Any], puller: dict[str, Any]) -> dict[str, Any]:
    """Return what a device shall be, without what each order has anew."""
    refs = sorted({*want["images"], want["puller"]})
    return {
        "ring": want["ring"],
        "soak_s": want["soak_s"],
        "variables": want["variables"],
        "images": {ref: images[ref] for ref in refs},
        "puller": {"ref": want["puller"], "archive": {"sha256": puller["sha256"], "size": puller["bytes"]}},
    }


def mark_of(content: dict[str, Any], playbooks: str, trust: str) -> str:
    """Return the hash of what one device shall be."""
    return hashlib.sha256(json.dumps([content, playbooks, trust], sort_keys=True).encode()).hexdigest()


def standing(marks: dict[str, str], newest: dict[str, Any]) -> str:
    """Return the edition that all have who have an order, if it says what they shall be; nothing else."""
    orders = {device: newest[device] for device in marks if (newest.get(device) or {}).get("serial")}
    same = all(order.get("content") == marks[device] for device, order in orders.items())
    editions = {order.get("edition") for order in orders.values()}
    return str(editions.pop()) if same and len(editions) == 1 else ""


def unproved(device: str, edition: str, rings: dict[str, int], newest: dict[str, Any]) -> bool:
    """Return whether devices of rings before a device's own were ordered something, and none of them this."""
    before = {
        (newest.get(other) or {}).get("edition") for other, ring in rings.items() if ring < rings[device]
    }
    return bool(before - {None}) and edition not in before


def name_of(contents: dict[str, Any], playbooks: str, trust: str) -> str:
    """Return the name of an edition."""
    text = json.dumps([contents, playbooks, trust], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_NAME_DIGITS]


def next_serial(newest: int, now: float) -> int:
    """Return a serial above the last; by the clock, so that it stays above though records were lost."""
    return max(newest + 1, int(now))


def sign(text: str, key: Any) -> str:
    """Return the signature, as `openssl dgst -sha256 -verify` checks it, base64."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - the control host has it, devices need not
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return base64.b64encode(key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))).decode()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "repository": {"type": "path", "required": True},
            "wants": {"type": "list", "elements": "dict", "required": True},
            "only": {"type": "list", "elements": "str", "required": True},
            "images": {"type": "dict", "required": True},
            "pullers": {"type": "dict", "required": True},
            "blobs": {"type": "path", "required": True},
            "trust": {"type": "str", "required": True},
            "newest": {"type": "dict", "required": True},
            "again": {"type": "bool", "default": False},
            "proved": {"type": "bool", "default": False},
            "signer": {"type": "path", "required": True},
            "passphrase": {"type": "str", "required": True, "no_log": True},
            "inbox": {"type": "path", "required": True},
        }
    )
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    given: dict[str, Any] = module.params
    try:
        key = load_pem_private_key(Path(given["signer"]).read_bytes(), given["passphrase"].encode())
    except (OSError, ValueError) as error:
        module.fail_json(f"{given['signer']} cannot be read with the passphrase of the authority: {error}")
    inbox = Path(given["inbox"])
    packed = archive(Path(given["repository"]))
    playbooks = {"sha256": hashlib.sha256(packed).hexdigest(), "size": len(packed)}
    kept = inbox.with_name("playbooks.tar.gz")
    kept.write_bytes(packed)
    blobs = {playbooks["sha256"]: str(kept)}
    contents = {}
    for want in given["wants"]:
        puller = given["pullers"][want["puller"]]
        contents[want["device"]] = content_of(want, given["images"], puller)
        blobs[puller["sha256"]] = puller["path"]
    common = (str(playbooks["sha256"]), given["trust"])
    marks = {device: mark_of(content, *common) for device, content in contents.items()}
    rings = {device: content["ring"] for device, content in contents.items()}
    now = time.time()
    if given["again"]:
        edition = f"{name_of(contents, *common)}-{int(now)}"
    else:
        edition = standing(marks, given["newest"]) or name_of(contents, *common)
    ordered, waiting = [], []
    for device in given["only"]:
        before = given["newest"].get(device) or {}
        if before.get("edition") == edition:
            continue
        if given["proved"] and unproved(device, edition, rings, given["newest"]):
            waiting.append(device)
            continue
        ordered.append(device)
        order = {
            "version": 1,
            "device": device,
            "serial": next_serial(int(before.get("serial") or 0), now),
            "edition": edition,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
            "playbooks": playbooks,
            "trust": given["trust"],
            "content": marks[device],
            **contents[device],
        }
        text = json.dumps(order, sort_keys=True)
        folder = inbox / "orders" / device
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for kind, content in (("json", text), ("sig", sign(text, key))):
            file = folder / f"{order['serial']:010}.{kind}"
            file.touch(mode=0o644)
            file.write_text(content)
        for image in contents[device]["images"].values():
            for blob in (image["config"], *image["layers"]):
                blobs[blob["sha256"]] = os.path.join(given["blobs"], blob["sha256"])  # noqa: PTH118 - text
    module.exit_json(
        changed=bool(ordered),
        edition=edition,
        ordered=ordered,
        waiting=waiting,
        blobs=blobs if ordered else {},
    )


if __name__ == "__main__":
    main()
