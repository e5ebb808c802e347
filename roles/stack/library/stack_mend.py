#!/usr/bin/python
"""Find the images of a release that are damaged on a host, and take them away, to be brought anew."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
# What brings the stacks back at a boot imports it from beside itself, without Ansible.
from __future__ import annotations

import subprocess
from pathlib import Path

DOCUMENTATION = """
module: stack_mend
short_description: Takes away images that are damaged
description:
  - An engine does not wait for the disk when it unpacks an image. After a power cut the image may be there,
    with files that are empty, and nothing would bring it again.
  - The engine compares each file of a layer with its checksum when it writes an image out again, which reads
    all of it. So this is asked only of a release that does not start.
options:
  file: {type: path, required: true, description: Compose file of the release}
author: Facefleet
"""

RETURN = """
removed: {type: list, elements: str, returned: always, description: References of those that were damaged}
"""


def damaged(file: Path) -> list[str]:
    """Return the images of a Compose file that are not there or not whole."""
    words = ["docker", "compose", "--file", str(file), "config", "--images"]
    listed = subprocess.run(words, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return sorted(image for image in set(listed.split()) if not _whole(image))


def remove(images: list[str]) -> None:
    """Take images away, whatever uses them: another deployment brings them."""
    for image in images:
        words = ["docker", "image", "rm", "--force", image]
        subprocess.run(words, capture_output=True, check=False)  # noqa: S603


def _whole(image: str) -> bool:
    words = ["docker", "image", "save", image]
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    return not done.returncode


def main() -> None:
    """Look, and remove what is damaged."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - see above

    module = AnsibleModule(argument_spec={"file": {"type": "path", "required": True}})
    bad = damaged(Path(module.params["file"]))
    remove(bad)
    module.exit_json(changed=bool(bad), removed=bad)


if __name__ == "__main__":
    main()
