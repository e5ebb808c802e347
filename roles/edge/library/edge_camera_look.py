#!/usr/bin/python
"""Look in one go for the cameras of a device that are devices or files."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: edge_camera_look
short_description: Looks for cameras that are devices or files
description:
  - What ansible.builtin.stat tells, for all of them at once; changes nothing.
options:
  cameras: {type: dict, required: true, description: "Name to path of each camera"}
author: Facefleet
"""

RETURN = """
missing: {type: list, elements: str, returned: always, description: "Names of those that are not there"}
groups: {type: dict, returned: always, description: "Name to the number of its group, of the others"}
"""


def look(cameras: dict[str, str]) -> tuple[list[str], dict[str, int]]:
    """Return the names of those that are missing, and the group of each of the others."""
    missing, groups = [], {}
    for name, path in cameras.items():
        try:
            groups[name] = os.stat(path).st_gid  # noqa: PTH116 - it is used as it is given
        except OSError:
            missing.append(name)
    return missing, groups


def main() -> None:
    """Look."""
    module = AnsibleModule(
        argument_spec={"cameras": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    missing, groups = look(module.params["cameras"])
    module.exit_json(changed=False, missing=missing, groups=groups)


if __name__ == "__main__":
    main()
