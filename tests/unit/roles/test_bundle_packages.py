"""What roles install is in a bundle: the role's list cannot fall behind the others."""

import re
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
BUNDLE: dict[str, Any] = yaml.safe_load((ROLES / "bundle/vars/main.yml").read_text())
ONLY_WHERE_IMAGES_ARE_BUILT = {"mmdebstrap", "debian-archive-keyring"}
OF_DOCKER_ITSELF = {"docker-compose-plugin", "docker-buildx-plugin"}
"""A host with Docker's own packages has a mirror of its own."""


def bundled(kind: str) -> set[str]:
    known = BUNDLE["bundle_known"][kind]
    groups = [known["engine"], BUNDLE["bundle_engine_needs"], *BUNDLE["bundle_groups"]]
    return {name for group in groups for name in group}


def named_in_tasks() -> set[str]:
    """Return the packages that tasks name outright."""
    texts = (file.read_text() for file in ROLES.glob("*/tasks/*.yml"))
    lists = (found for text in texts for found in re.findall(r"packages_names: \[([^\]]+)\]", text))
    return {name.strip() for names in lists for name in names.split(",")}


def named_by_the_engine() -> set[str]:
    """Return the packages that the engine's role may name, for any distribution."""
    told = yaml.safe_load((ROLES / "docker_engine/vars/main.yml").read_text())
    texts = [*told["docker_engine_package_names"].values(), told["docker_engine_plugin_packages"]]
    quoted = {name for text in texts for name in re.findall(r"\['?([a-z][^\]]*)'?\]", str(text))}
    return {name.strip("' ") for names in quoted for name in names.split(",")}


def test_what_tasks_name_is_in_each_bundle() -> None:
    wanted = named_in_tasks() - ONLY_WHERE_IMAGES_ARE_BUILT
    assert {"openssl", "chrony"} <= wanted
    for kind in BUNDLE["bundle_known"]:
        assert wanted <= bundled(kind), kind


def test_what_the_engine_needs_is_in_some_bundle() -> None:
    wanted = named_by_the_engine() - OF_DOCKER_ITSELF
    assert {"docker.io", "docker-compose-v2", "python3-requests", "docker-buildx"} <= wanted
    assert wanted - {name for kind in BUNDLE["bundle_known"] for name in bundled(kind)} == set()
