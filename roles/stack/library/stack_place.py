#!/usr/bin/python
"""Make the folders and write the files of a release, in one go."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stack_place
short_description: Makes folders and writes files
description:
  - What ansible.builtin.file and ansible.builtin.copy do, for all of them at once. Each of their calls takes
    a good part of a second on a small device, and a release has a dozen.
  - What it wrote is on the disk when it ends, folders too, so that a power cut leaves no half of it.
options:
  folders:
    type: list
    elements: path
    required: true
    description: Folders, each after the one that it is in; they are root's, mode 0755
  files:
    type: list
    elements: dict
    required: true
    description: What to write, in this order
    options:
      path: {type: path, required: true, description: Where}
      content: {type: str, required: true, description: What}
      mode: {type: str, required: true, description: Who may do what with it}
      owner: {type: str, default: root, description: "Whose it is, and the group"}
  flush:
    type: list
    elements: path
    default: []
    description:
      - Folders whose file systems are flushed at last. An engine does not wait for the disk when it unpacks
        an image, nor does Ansible when it copies a file; after a power cut these may be there and empty.
author: Facefleet
"""

RETURN = """
written: {type: list, elements: str, returned: always, description: What was made or changed}
"""


def main() -> None:
    """Do all, and tell what of it was another before."""
    module = AnsibleModule(
        argument_spec={
            "folders": {"type": "list", "elements": "path", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "required": True},
                    "mode": {"type": "str", "required": True},
                    "owner": {"type": "str", "default": "root"},
                },
            },
            "flush": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    written = [path for path in module.params["folders"] if make(module, Path(path))]
    diffs: list[dict[str, str]] = []
    written += [file["path"] for file in module.params["files"] if write(module, file, diffs)]
    if not module.check_mode:
        flush(module.params["flush"])
    module.exit_json(
        changed=bool(written), written=written, diff=diffs, invocation={"module_args": "left out"}
    )


def make(module: AnsibleModule, folder: Path) -> bool:
    """Make a folder, and return whether something was not as it should be."""
    is_new = not folder.is_dir()
    if is_new and not module.check_mode:
        folder.mkdir()
        sync(folder.parent)
    return attributes(module, folder, "root", "0755", changed=is_new)


def sync(folder: Path) -> None:
    """Let what was made or renamed in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush(folders: list[str]) -> None:
    """Write to the disk what the file systems of these folders hold in memory, each once."""
    libc, done = ctypes.CDLL(None, use_errno=True), set()
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            device = os.fstat(descriptor).st_dev
            if device not in done and libc.syncfs(descriptor):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
            done.add(device)
        finally:
            os.close(descriptor)


def write(module: AnsibleModule, file: dict[str, Any], diffs: list[dict[str, str]]) -> bool:
    """Write a file whole, so that nobody reads half of it; return whether something was another."""
    path, content = Path(file["path"]), file["content"].encode()
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = None
    is_new = before != content
    if is_new:
        diffs.append(
            {
                "before_header": str(path),
                "after_header": str(path),
                "before": (before or b"").decode(errors="replace"),
                "after": file["content"],
            }
        )
    if is_new and not module.check_mode:
        draft = path.with_name(f".{path.name}.new")
        draft.touch(mode=0o600)
        with draft.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        attributes(module, draft, file["owner"], file["mode"], changed=True)
        draft.replace(path)
        sync(path.parent)
    return attributes(module, path, file["owner"], file["mode"], changed=is_new)


def attributes(module: AnsibleModule, path: Path, owner: str, mode: str, *, changed: bool) -> bool:
    """Set owner and mode; return whether this or what was before changed something."""
    wanted = module.load_file_common_arguments(
        {"path": str(path), "owner": owner, "group": owner, "mode": mode}, path=str(path)
    )
    return bool(module.set_fs_attributes_if_different(wanted, changed))


if __name__ == "__main__":
    main()
