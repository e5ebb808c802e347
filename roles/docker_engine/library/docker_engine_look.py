#!/usr/bin/python
"""See in one look what a host has of an engine, its client and their settings."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: docker_engine_look
short_description: Tells what a host has of a Docker engine
description:
  - Asks the client, which asks the engine and the plugins, and reads daemon.json; changes nothing.
  - One look instead of four tasks, which is what a run without changes consists of.
options:
  client: {type: list, elements: str, required: true, description: Command line of the client up to its verb}
  settings: {type: path, description: The daemon.json to read; none is read without}
author: Facefleet
"""

RETURN = """
report: {type: dict, returned: always, description: What `docker info` says of the engine and of the plugins}
client: {type: bool, returned: always, description: Whether there is a client}
daemon: {type: bool, returned: always, description: Whether there is an engine to start}
library: {type: bool, returned: always, description: Whether this Python has what the Docker modules need}
settings: {type: dict, returned: always, description: "What daemon.json says; empty if there is none"}
settings_found: {type: bool, returned: always, description: Whether there is one}
"""

_WANTED = ("ServerVersion", "ServerErrors", "ClientInfo")


def ask(module: AnsibleModule) -> dict[str, Any]:
    """Return what the client says; without an engine it describes itself and its plugins."""
    code, told, error = module.run_command([*module.params["client"], "info", "--format", "{{json .}}"])
    # 1: no engine answers; an older client says 0 then.
    if code not in (0, 1) or "permission denied" in error:
        module.fail_json(msg=f"docker info ended with {code}: {error.strip()}", rc=code)
    try:
        report: dict[str, Any] = json.loads(told or "{}")
    except ValueError:
        module.fail_json(msg=f"docker info does not answer in JSON: {told[:200]!r} {error.strip()}")
    return {key: report[key] for key in _WANTED if key in report}


def settings_in(module: AnsibleModule, file: Path) -> dict[str, Any]:
    """Return what daemon.json says; an empty one says nothing."""
    try:
        settings: dict[str, Any] | None = json.loads(file.read_text().strip() or "{}")
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        module.fail_json(
            msg=f"{file} is not a JSON object: nothing can be merged into it and the engine would not start "
            f"with it. Mend it (python3 -m json.tool {file} shows where it breaks) or move it away, and run "
            "this again."
        )
    return settings


def main() -> None:
    """Look at all there is."""
    module = AnsibleModule(
        argument_spec={
            "client": {"type": "list", "elements": "str", "required": True},
            "settings": {"type": "path"},
        },
        supports_check_mode=True,
    )
    client = bool(module.get_bin_path(module.params["client"][0]))
    file = Path(module.params["settings"] or "/nonexistent")
    module.exit_json(
        changed=False,
        client=client,
        report=ask(module) if client else {},
        daemon=bool(module.get_bin_path("dockerd")),
        library=importlib.util.find_spec("requests") is not None,
        settings=settings_in(module, file) if file.exists() else {},
        settings_found=file.exists(),
    )


if __name__ == "__main__":
    main()
