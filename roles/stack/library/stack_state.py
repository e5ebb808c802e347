#!/usr/bin/python
"""Tell in one look whether a host already runs a release of a stack just as it should."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stack_state
short_description: Tells whether a host runs a release of a Compose stack just as it should
description:
  - Compares files, links, containers, their health and their definitions; changes nothing.
  - One look instead of a dozen tasks, which is what a run without changes consists of.
options:
  home: {type: path, required: true, description: Folder of the stack}
  release: {type: str, required: true, description: Name of the release that should run}
  compose: {type: str, required: true, description: SHA-256 of its Compose file}
  files: {type: dict, required: true, description: Path on the host to SHA-256 of each mounted file}
  project: {type: str, required: true, description: Name of the Compose project}
  services: {type: list, elements: str, required: true, description: Services that should be up}
author: Facefleet
"""

RETURN = """
current: {type: str, returned: always, description: "Name of the current release, or nothing"}
differs: {type: list, elements: str, returned: always, description: "What is not as it should be, in words"}
"""

_LABEL = '{{.Label "com.docker.compose.%s"}} '
_ASK = _LABEL % "service" + _LABEL % "config-hash" + "{{.State}} {{.Status}}"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, or nothing if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def running(listing: str) -> dict[str, tuple[str, bool]]:
    """Return of each service that is up its definition's hash and whether it is healthy.

    `listing` has a line a container: service, hash, state, status in words ("Up 2 minutes (healthy)").
    """
    found: dict[str, tuple[str, bool]] = {}
    for line in listing.splitlines():
        service, definition, state, status = line.split(" ", 3)
        sick = "(unhealthy)" in status or "(health: starting)" in status
        found[service] = definition, state == "running" and not sick
    return found


def compare(services: list[str], wanted: dict[str, str], found: dict[str, tuple[str, bool]]) -> list[str]:
    """Return in words what is not as it should be; `wanted` has each service's definition's hash."""
    said = []
    for service in services:
        definition, healthy = found.get(service, ("", False))
        if not definition:
            said.append(f"{service} is not there")
        elif definition != wanted.get(service):
            said.append(f"{service} has another definition")
        elif not healthy:
            said.append(f"{service} is not healthy")
    said += [f"{service} should not be there" for service in found if service not in services]
    return said


def main() -> None:
    """Look at files first; ask the engine only if these are right."""
    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "compose": {"type": "str", "required": True},
            "files": {"type": "dict", "required": True},
            "project": {"type": "str", "required": True},
            "services": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked: dict[str, Any] = module.params
    home = Path(asked["home"])
    link = home / "current"
    current = link.resolve().name if link.is_symlink() else ""
    differs = [] if current == asked["release"] else [f"the current release is {current or 'none'}"]
    if not differs:
        if digest(link / "compose.yaml") != asked["compose"]:
            differs.append("the Compose file")
        if (home / "compose.yaml").resolve() != (link / "compose.yaml").resolve():
            differs.append("the link to the Compose file")
        differs += [path for path, sha in asked["files"].items() if digest(Path(path)) != sha]
    if not differs:
        differs = _ask_the_engine(module, home, asked)
    module.exit_json(changed=False, current=current, differs=differs)


def _ask_the_engine(module: AnsibleModule, home: Path, asked: dict[str, Any]) -> list[str]:
    compose = ["docker", "compose", "--project-directory", str(home / "current"), "config", "--hash", "*"]
    code, hashes, problem = module.run_command(compose)
    if code:
        return [problem.strip()]
    ours = f"label=com.docker.compose.project={asked['project']}"
    lasting = "label=com.docker.compose.oneoff=False"
    listing = ["docker", "ps", "--all", "--filter", ours, "--filter", lasting, "--format", _ASK]
    code, listed, problem = module.run_command(listing)
    if code:
        return [problem.strip()]
    wanted = dict(line.split(" ", 1) for line in hashes.splitlines())
    return compare(asked["services"], wanted, running(listed))


if __name__ == "__main__":
    main()
