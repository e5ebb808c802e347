#!/usr/bin/python
"""Tell in one look whether a host already runs a release of a stack just as it should."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
# What brings the stacks back at a boot imports it from beside itself, without Ansible.
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
  services: {type: dict, required: true, description: "Services that should be up, to the image of each"}
  images: {type: dict, required: true, description: "Reference to ID, or to nothing, of each image of ours"}
  coming: {type: path, description: "Compose file, to be checked, of a release that is placed only"}
  boot: {type: dict, required: true, description: Path to SHA-256 of what brings the stack back at a boot}
  unit: {type: str, required: true, description: The systemd unit that does so}
author: Facefleet
"""

RETURN = """
current: {type: str, returned: always, description: "Name of the current release, or nothing"}
differs: {type: list, elements: str, returned: always, description: "What is not as it should be, in words"}
staying:
  type: list
  elements: str
  returned: with coming
  description: Services that are up and well and will be the very same in the coming release
lacking:
  type: list
  elements: str
  returned: always
  description: Images that the host lacks, or has another of that name
systemd: {type: bool, returned: always, description: Whether systemd runs the host}
store: {type: str, returned: always, description: "The engine's folder, if something differs"}
"""

_LABEL = '{{.Label "com.docker.compose.%s"}} '
_ASK = _LABEL % "service" + _LABEL % "config-hash" + _LABEL % "image" + "{{.State}} {{.Status}}"


class Running(NamedTuple):
    """A container of a service: its definition's hash, its image's ID, whether it is well, or up at least."""

    definition: str
    image: str
    healthy: bool
    up: bool = True


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, or nothing if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def running(listing: str) -> dict[str, Running]:
    """Return the containers of the services.

    `listing` has a line a container: service, hash, image, state, status in words ("Up 2 minutes (healthy)").
    """
    found: dict[str, Running] = {}
    for line in listing.splitlines():
        service, definition, image, state, status = line.split(" ", 4)
        sick = "(unhealthy)" in status or "(health: starting)" in status
        up = state == "running"
        found[service] = Running(definition, image, up and not sick, up)
    return found


def compare(services: Iterable[str], wanted: dict[str, str], found: dict[str, Running]) -> list[str]:
    """Return in words what is not as it should be; `wanted` has each service's definition's hash."""
    said = []
    for service in services:
        container = found.get(service)
        if container is None:
            said.append(f"{service} is not there")
        elif container.definition != wanted.get(service):
            said.append(f"{service} has another definition")
        elif not container.healthy:
            said.append(f"{service} is not healthy")
    said += [f"{service} should not be there" for service in found if service not in services]
    return said


def staying(
    services: dict[str, str], images: dict[str, str], coming: dict[str, str], found: dict[str, Running]
) -> list[str]:
    """Return the services that are well and will be just what they are.

    `coming` has each service's definition's hash to be. An image without an ID is known by its reference
    only, which is part of the definition.
    """
    return [
        service
        for service, ref in services.items()
        if (now := found.get(service))
        and now.healthy
        and now.definition == coming.get(service)
        and images.get(ref, "") in ("", now.image)
    ]


def lacking(images: dict[str, str], listing: str) -> list[str]:
    """Return the images that are not there or are others; one without an ID may be any of its name.

    `listing` has a line an image: reference and ID.
    """
    there = dict(line.split(" ", 1) for line in listing.splitlines())
    return [ref for ref, wanted in images.items() if not there.get(ref) or wanted not in ("", there[ref])]


def interrupted(home: Path) -> str:
    """Return the release that was on its way when its deployment ended before its time, if one did."""
    try:
        return (home / "coming").read_text().strip()
    except FileNotFoundError:
        return ""


def placed(home: Path, asked: dict[str, Any]) -> list[str]:
    """Return in words what of the files of the current release is not as it should be."""
    link, differs = home / "current", []
    if digest(link / "compose.yaml") != asked["compose"]:
        differs.append("the Compose file")
    if (home / "compose.yaml").resolve() != (link / "compose.yaml").resolve():
        differs.append("the link to the Compose file")
    if digest(home / "shown/release") != hashlib.sha256(f"{link.resolve().name}\n".encode()).hexdigest():
        differs.append("the note of the release")
    differs += [path for path, sha in asked["files"].items() if digest(Path(path)) != sha]
    if coming := interrupted(home):
        differs.append(f"the deployment of {coming} was interrupted")
    return differs


def brings_back(files: dict[str, str], unit: str) -> list[str]:
    """Return in words what is missing of what brings the stack back when the host starts."""
    differs = [path for path, sha in files.items() if digest(Path(path)) != sha]
    if not Path("/etc/systemd/system/multi-user.target.wants", unit).is_symlink():
        differs.append(f"{unit} is not enabled")
    return differs


def main() -> None:
    """Look at files first, then ask the engine."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - see above

    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "compose": {"type": "str", "required": True},
            "files": {"type": "dict", "required": True},
            "project": {"type": "str", "required": True},
            "services": {"type": "dict", "required": True},
            "images": {"type": "dict", "required": True},
            "coming": {"type": "path"},
            "boot": {"type": "dict", "required": True},
            "unit": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    asked: dict[str, Any] = module.params
    home = Path(asked["home"])
    link = home / "current"
    current = link.resolve().name if link.is_symlink() else ""
    differs = (
        placed(home, asked)
        if current == asked["release"]
        else [f"the current release is {current or 'none'}"]
    )
    systemd = Path("/run/systemd/system").is_dir()
    if systemd and not differs:
        differs = brings_back(asked["boot"], asked["unit"])
    docker = module.get_bin_path("docker")
    engine = Engine(
        lambda *words: (
            module.run_command([docker, *words]) if docker else (1, "", "there is no Docker engine")
        )
    )
    services, images = asked["services"], asked["images"]
    found: dict[str, Any] = {}
    if asked["coming"]:
        coming = engine.hashes(Path(asked["coming"]))
        same = staying(services, images, coming, running(engine.containers(asked["project"])))
        if engine.problems:
            module.fail_json(msg="; ".join(engine.problems))
        found["staying"] = same
    elif not differs:
        wanted, containers = engine.hashes(home / "current/compose.yaml"), engine.containers(asked["project"])
        differs = engine.problems or compare(services, wanted, running(containers))
    needed = {ref: images[ref] for ref in services.values() if ref in images}
    found["lacking"] = lacking(needed, engine.images()) if differs else []
    found["store"] = engine.store() if differs else ""
    module.exit_json(changed=False, current=current, differs=differs, systemd=systemd, **found)


class Engine:
    """The host's engine; one that is not there has nothing."""

    def __init__(self, run: Callable[..., tuple[int, str, str]]) -> None:
        """Say how its client is run: with words, to exit code, output and complaint."""
        self._run = run
        self.problems: list[str] = []

    def containers(self, project: str) -> str:
        """List those of a project that last."""
        ours = f"label=com.docker.compose.project={project}"
        lasting = "label=com.docker.compose.oneoff=False"
        return self._ask("ps", "--all", "--no-trunc", "--filter", ours, "--filter", lasting, "--format", _ASK)

    def hashes(self, file: Path) -> dict[str, str]:
        """Return of each service of a Compose file its definition's hash."""
        said = self._ask("compose", "--file", str(file), "config", "--hash", "*")
        return dict(line.split(" ", 1) for line in said.splitlines())

    def images(self) -> str:
        """List what there is."""
        return self._ask("image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")

    def lasting(self, file: Path) -> list[str]:
        """Return the services of a Compose file that run all the time."""
        return self._ask("compose", "--file", str(file), "config", "--services").split()

    def store(self) -> str:
        """Return the folder that it keeps everything in."""
        return self._ask("info", "--format", "{{.DockerRootDir}}").strip()

    def _ask(self, *arguments: str) -> str:
        code, said, problem = self._run(*arguments)
        if code:
            self.problems.append(problem.strip())
            return ""
        return said


if __name__ == "__main__":
    main()
