#!/usr/bin/python
"""Remove images of ours that no release of a host names, and those that lost their name to another."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stack_prune_images
short_description: Removes images that no release needs any more
description:
  - Of all stacks of the host. An image stays as long as the Compose file of a release that stays names it.
  - One without a name, as another image of that name came, stays as long as a container is of it.
  - One module instead of five or more. Each of those is sent anew, and larger than what changed.
options:
  root: {type: path, required: true, description: Folder of the stacks}
  namespace: {type: str, default: facefleet, description: What the names of our images begin with}
author: Facefleet
"""

RETURN = """
removed: {type: list, elements: str, returned: always, description: References of the images, or ids}
"""

OURS = "org.opencontainers.image.vendor=Facefleet"
_GONE = "No such image"


class EngineError(Exception):
    """The engine did not do what it was asked; the text is its own."""


def docker(*arguments: str) -> str:
    """Return what the engine's client says."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode and _GONE not in done.stderr:
        raise EngineError(done.stderr.strip())
    return done.stdout


def unneeded(listed: list[str], namespace: str, composed: list[str]) -> list[str]:
    """Return the references of ours that no Compose file names."""
    ours = [ref for ref in listed if ref.startswith(namespace + "/") and not ref.endswith(":<none>")]
    return sorted(ref for ref in ours if not any(ref in text for text in composed))


def nameless() -> list[str]:
    """Return the ids of ours that have no name and no container."""
    found = ("--quiet", "--no-trunc", "--filter", "dangling=true", "--filter", f"label={OURS}")
    ids = set(docker("image", "ls", *found).split())
    containers = docker("ps", "--all", "--quiet").split() if ids else []
    used = docker("inspect", "--format", "{{.Image}}", *containers).split() if containers else []
    return sorted(ids - set(used))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {
            "root": {"type": "path", "required": True},
            "namespace": {"type": "str", "default": "facefleet"},
        },
        supports_check_mode=True,
    )
    try:
        composed = [path.read_text() for path in Path(module.params["root"]).rglob("compose.yaml")]
        listed = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        removed = unneeded(listed, module.params["namespace"], composed) + nameless()
        if removed and not module.check_mode:
            docker("image", "rm", *removed)
    except (EngineError, OSError) as error:
        module.fail_json(f"Images that no release needs cannot be removed: {error}")
    module.exit_json(changed=bool(removed), removed=removed)


if __name__ == "__main__":
    main()
