#!/usr/bin/python
"""Tell how far the replacement of the fleet's authority has come, and for whom it waits."""

# Runs on the control host.
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: identity_standing
short_description: Tells how far the replacement of the fleet's authority has come
description:
  - Reads the authority's records; changes nothing.
  - A host's certificate comes from the new authority once all who have to check it trust that one. The old
    authority may go once every host trusts the new one and holds a certificate of it.
  - A host without a record has nothing yet and will trust both from the beginning, so nobody waits for it.
options:
  authority: {type: path, required: true, description: Folder of the authority on the control host}
  members: {type: list, elements: str, required: true, description: Hosts that have certificates}
  servers: {type: list, elements: str, required: true, description: Those whose certificate every host checks}
  publishers: {type: dict, required: true, description: "Host to those whose certificates its broker checks"}
author: Facefleet
"""

RETURN = """
replacing: {type: bool, returned: always, description: Whether there is a new authority}
signed_by_next: {type: list, elements: str, returned: always, description: Members whose certificate it gives}
untrusting: {type: list, elements: str, returned: always, description: Members that do not trust it yet}
unrenewed: {type: list, elements: str, returned: always, description: Members without a certificate of it}
droppable: {type: bool, returned: always, description: Whether the old authority may go}
said: {type: str, returned: always, description: All this in words}
"""


class Fleet(NamedTuple):
    """Who has certificates, and who checks whose."""

    members: list[str]
    servers: list[str]
    publishers: dict[str, list[str]]

    def checkers(self, host: str) -> set[str]:
        """Return who has to trust the authority of a host's certificate; the host is one, as it gets both."""
        if host in self.servers:
            return set(self.members)
        brokers = {device for device, names in self.publishers.items() if host in names}
        return {host, *self.servers, *brokers, *self.publishers.get(host, [])}


class Standing(NamedTuple):
    """How far it has come."""

    signed_by_next: list[str]
    untrusting: list[str]
    unrenewed: list[str]

    @property
    def droppable(self) -> bool:
        """Return whether nobody needs the old authority any more."""
        return not self.untrusting and not self.unrenewed


def stand(fleet: Fleet, records: dict[str, dict[str, Any]], new: str) -> Standing:
    """Return how the replacement stands; `new` is the hash of the new authority's certificate."""
    counted = [host for host in fleet.members if host in records and records[host].get("without") != new]
    untrusting = [host for host in counted if new not in records[host].get("trusts", [])]
    unrenewed = [
        host
        for host in counted
        if records[host].get("authority") != new or records[host].get("holds") != records[host]["checksum"]
    ]
    signed = [
        host
        for host in fleet.members
        if records.get(host, {}).get("authority") == new or not fleet.checkers(host) & set(untrusting)
    ]
    return Standing(signed, untrusting, unrenewed)


def words(standing: Standing) -> str:
    """Return how it stands for an operator."""
    if standing.droppable:
        return "Every host trusts the new authority and has a certificate of it: the old one goes."
    said = ["The fleet's authority is being replaced; faces go on as ever."]
    if standing.untrusting:
        waiting = ", ".join(standing.untrusting)
        do = "does" if len(standing.untrusting) == 1 else "do"
        said.append(f"It waits for {waiting}, which {do} not know the new authority yet.")
    behind = [host for host in standing.unrenewed if host not in standing.untrusting]
    if behind:
        until = ", until then" if standing.untrusting else ""
        said.append(f"With a certificate of the old one{until}: {', '.join(behind)}.")
    said.append("Each run of rotate.yml or site.yml goes on by itself.")
    if standing.untrusting:
        said.append(
            "A device that does not come back: take it out of the inventory, or give -e rotate_without=NAME; "
            "it must be given its identity anew then."
        )
    return " ".join(said)


def read(folder: Path, members: list[str]) -> dict[str, dict[str, Any]]:
    """Return the records of those that have one."""
    files = {host: folder / "issued" / f"{host}.json" for host in members}
    return {host: json.loads(file.read_text()) for host, file in files.items() if file.exists()}


def main() -> None:
    """Read, and tell."""
    module = AnsibleModule(
        argument_spec={
            "authority": {"type": "path", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "servers": {"type": "list", "elements": "str", "required": True},
            "publishers": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    asked = module.params
    folder = Path(asked["authority"])
    certificate = folder / "next/ca.crt"
    if not certificate.exists():
        nothing: dict[str, Any] = {"signed_by_next": [], "untrusting": [], "unrenewed": [], "said": ""}
        module.exit_json(changed=False, replacing=False, droppable=False, **nothing)
    new = hashlib.sha256(certificate.read_text().rstrip().encode()).hexdigest()  # as the lookup reads it
    fleet = Fleet(asked["members"], asked["servers"], asked["publishers"])
    standing = stand(fleet, read(folder, fleet.members), new)
    found = standing._asdict() | {"droppable": standing.droppable, "said": words(standing)}
    module.exit_json(changed=False, replacing=True, **found)


if __name__ == "__main__":
    main()
