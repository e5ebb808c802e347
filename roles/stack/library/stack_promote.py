#!/usr/bin/python
"""Make a release the current one of its host, and remove what is too old, in one go."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import os
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stack_promote
short_description: Makes a release the current one, and removes those that are too old
description:
  - Moves the links, shows the release's name to the services that run (C(shown/release)), and, of a release
    that is new, removes the oldest ones and the files that none of those that stay names.
options:
  home: {type: path, required: true, description: Folder of the stack}
  release: {type: str, required: true, description: Name of the release}
  keep: {type: int, required: true, description: "Releases that stay, this one included; 0 removes nothing"}
author: Facefleet
"""

RETURN = """
moved: {type: list, elements: str, returned: always, description: What pointed elsewhere before}
removed: {type: list, elements: str, returned: always, description: What was too old}
"""


def link(path: Path, target: str) -> bool:
    """Point a link at its target, in one step; return whether it pointed elsewhere."""
    if path.is_symlink() and os.readlink(path) == target:  # noqa: PTH115 - Path has it since 3.9
        return False
    draft = path.with_name(f".{path.name}.new")
    if draft.is_symlink():
        draft.unlink()
    draft.symlink_to(target)
    draft.replace(path)
    return True


def show(folder: Path, release: str) -> bool:
    """Write the release's name where services read it; return whether another was written there."""
    file, said = folder / "release", f"{release}\n"
    try:
        if file.read_text() == said:
            return False
    except (OSError, ValueError):
        folder.mkdir(mode=0o755, exist_ok=True)
    draft = folder / ".release.new"
    draft.write_text(said)
    draft.chmod(0o644)
    draft.replace(file)
    return True


def too_old(releases: Path, release: str, keep: int) -> list[Path]:
    """Return the releases that do not stay: all but this one and the newest of the others."""
    others = [folder for folder in releases.iterdir() if folder.is_dir() and folder.name != release]
    return sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[keep - 1 :]


def unnamed(home: Path) -> list[Path]:
    """Return the files that no release names."""
    named = "".join(file.read_text() for file in home.glob("releases/*/compose.yaml"))
    return [file for file in sorted(home.glob("files/*")) if str(file) not in named]


def main() -> None:
    """Do it; in check mode only tell."""
    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "keep": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    home, release, keep = Path(module.params["home"]), module.params["release"], module.params["keep"]
    if module.check_mode:
        current = home / "current"
        is_new = not (current.is_symlink() and current.resolve().name == release)
        module.exit_json(changed=is_new, moved=[str(current)] if is_new else [], removed=[])
    moved = [
        str(home / name)
        for name, done in (
            ("current", link(home / "current", f"releases/{release}")),
            ("compose.yaml", link(home / "compose.yaml", "current/compose.yaml")),
            ("shown/release", show(home / "shown", release)),
        )
        if done
    ]
    removed = []
    if keep:
        for folder in too_old(home / "releases", release, keep):
            shutil.rmtree(folder)
            removed.append(str(folder))
        for file in unnamed(home):
            file.unlink()
            removed.append(str(file))
    module.exit_json(changed=bool(moved or removed), moved=moved, removed=removed)


if __name__ == "__main__":
    main()
