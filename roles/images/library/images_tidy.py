#!/usr/bin/python
"""Remove images of ours that were built long ago: the control host's disk must not fill over the years."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: images_tidy
short_description: Removes old images of the control host
description:
  - Of each name and platform the newest stay; what a container uses stays anyhow.
  - One that lost its name to another goes.
  - Each change of the sources makes images of another name, and nothing else would remove those before.
options:
  namespace: {type: str, required: true, description: What the names of our images begin with}
  keep: {type: int, required: true, description: How many of each name and platform stay}
author: Facefleet
"""

RETURN = """
removed: {type: list, elements: str, returned: always, description: References of the images, or ids}
"""

OURS = "org.opencontainers.image.vendor=Facefleet"
_USED = ("is being used by", "is using its referenced image")


class EngineError(Exception):
    """The engine did not do what it was asked; the text is its own."""


def docker(*arguments: str) -> str:
    """Return what the engine's client says."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise EngineError(done.stderr.strip())
    return done.stdout


def too_old(images: list[dict[str, Any]], namespace: str, keep: int) -> list[str]:
    """Return the references of ours beyond the newest of each name and platform."""
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for image in images:
        for ref in image["RepoTags"] or []:
            name = ref.rpartition(":")[0]
            if name.startswith(f"{namespace}/"):
                kinds.setdefault((name, image["Architecture"]), []).append((image["Created"], ref))
    return sorted(ref for made in kinds.values() for _, ref in sorted(made, reverse=True)[keep:])


def remove(refs: list[str]) -> list[str]:
    """Remove images that no container uses; return which."""
    removed = []
    for ref in refs:
        try:
            docker("image", "rm", ref)
        except EngineError as error:
            if not any(words in str(error) for words in _USED):
                raise
        else:
            removed.append(ref)
    return removed


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        {"namespace": {"type": "str", "required": True}, "keep": {"type": "int", "required": True}}
    )
    namespace = module.params["namespace"]
    try:
        ids = sorted(set(docker("image", "ls", "--quiet", "--filter", f"reference={namespace}/*").split()))
        images = json.loads(docker("image", "inspect", *ids)) if ids else []
        nameless = docker(
            "image", "ls", "--quiet", "--filter", "dangling=true", "--filter", f"label={OURS}"
        ).split()
        removed = remove(too_old(images, namespace, module.params["keep"]) + nameless)
    except EngineError as error:
        module.fail_json(f"Old images cannot be removed: {error}")
    module.exit_json(changed=bool(removed), removed=removed)


if __name__ == "__main__":
    main()
