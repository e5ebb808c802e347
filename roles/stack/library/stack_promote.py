#!/usr/bin/python
"""Make a release the current one of its host, and remove what is too old, in one go."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
# What brings the stacks back at a boot imports it from beside itself, without Ansible.
from __future__ import annotations

import os
import shutil
from pathlib import Path

DOCUMENTATION = """
module: stack_promote
short_description: Makes a release the current one, and removes those that are too old
description:
  - Moves the links, shows the release's name to the services that run (C(shown/release)), and writes down in
    C(history) that it came through. Each step outlives a power cut before the next begins.
  - Then the mark of the deployment that is under way (C(coming)) goes.
  - Removes the releases that are too old, those that never came through, and the files that none of those
    that stay names. What is older is told by C(history), not by a clock, which may have been wrong.
options:
  home: {type: path, required: true, description: Folder of the stack}
  release: {type: str, required: true, description: Name of the release}
  keep: {type: int, required: true, description: "Releases that stay, this one included; 0 removes nothing"}
  failed: {type: str, default: "", description: One that did not come through; it stays until another comes}
author: Facefleet
"""

RETURN = """
moved: {type: list, elements: str, returned: always, description: What pointed elsewhere before}
removed: {type: list, elements: str, returned: always, description: What was too old}
"""


def link(path: Path, target: str) -> bool:
    """Point a link at its target, in one step that lasts; return whether it pointed elsewhere."""
    if path.is_symlink() and os.readlink(path) == target:  # noqa: PTH115 - Path has it since 3.9
        return False
    draft = path.with_name(f".{path.name}.new")
    if draft.is_symlink():
        draft.unlink()
    draft.symlink_to(target)
    draft.replace(path)
    sync(path.parent)
    return True


def write(file: Path, said: str) -> bool:
    """Write a small file, in one step that lasts; return whether it said something else."""
    try:
        if file.read_text() == said:
            return False
    except (OSError, ValueError):
        file.parent.mkdir(mode=0o755, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    with draft.open("w") as out:
        out.write(said)
        out.flush()
        os.fsync(out.fileno())
    draft.chmod(0o644)
    draft.replace(file)
    sync(file.parent)
    return True


def sync(folder: Path) -> None:
    """Let what was renamed or removed in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def history(home: Path) -> list[str]:
    """Return the releases that came through and are still there, the newest last."""
    there = [folder for folder in home.glob("releases/*") if (folder / "compose.yaml").is_file()]
    try:
        came = (home / "history").read_text().split()
    except FileNotFoundError:  # it was deployed before there was one
        return [folder.name for folder in sorted(there, key=lambda folder: folder.stat().st_mtime)]
    names = {folder.name for folder in there}
    return [name for name in came if name in names]


def came_through(home: Path, release: str) -> bool:
    """Write down that a release came through; return whether that is news."""
    before = history(home)
    if before[-1:] == [release] and (home / "history").exists():
        return False
    names = [*(name for name in before if name != release), release]
    return write(home / "history", "".join(f"{name}\n" for name in names))


def forget_coming(home: Path) -> bool:
    """Take away the mark of a deployment that is under way; return whether there was one."""
    if not (home / "coming").exists():
        return False
    (home / "coming").unlink()
    sync(home)
    return True


def unwanted(home: Path, stay: list[str]) -> list[Path]:
    """Return the releases that do not stay."""
    return sorted(folder for folder in home.glob("releases/*") if folder.name not in stay)


def unnamed(home: Path) -> list[Path]:
    """Return the files that no release names."""
    named = "".join(file.read_text() for file in home.glob("releases/*/compose.yaml"))
    return [file for file in sorted(home.glob("files/*")) if str(file) not in named]


def prune(home: Path, release: str, keep: int, failed: str = "") -> list[Path]:
    """Remove what is too old or never came through; return what that was."""
    others = [name for name in history(home) if name != release]
    stay = [release, failed, *others[len(others) - min(len(others), keep - 1) :]]
    removed = unwanted(home, stay)
    for folder in removed:
        shutil.rmtree(folder)
    files = unnamed(home)
    for file in files:
        file.unlink()
    return removed + files


def main() -> None:
    """Do it; in check mode only tell."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - see above

    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "keep": {"type": "int", "required": True},
            "failed": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    home, release, keep = Path(module.params["home"]), module.params["release"], module.params["keep"]
    if module.check_mode:
        current = home / "current"
        is_new = not (current.is_symlink() and current.resolve().name == release)
        module.exit_json(changed=is_new, moved=[str(current)] if is_new else [], removed=[])
    # In this order: at each step of it a power cut leaves a release that came through as the current one.
    moved = [
        str(home / name)
        for name, done in (
            ("history", came_through(home, release)),
            ("current", link(home / "current", f"releases/{release}")),
            ("compose.yaml", link(home / "compose.yaml", "current/compose.yaml")),
            ("shown/release", write(home / "shown/release", f"{release}\n")),
            ("coming", forget_coming(home)),
        )
        if done
    ]
    removed = [str(path) for path in prune(home, release, keep, module.params["failed"])] if keep else []
    module.exit_json(changed=bool(moved or removed), moved=moved, removed=removed)


if __name__ == "__main__":
    main()
