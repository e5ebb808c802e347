"""Whose certificates come from the new authority, and for whom its replacement waits."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.conftest import Play, module_of

identity_standing = module_of("identity", "identity_standing")
OLD, NEW = "old", "new"
FLEET = identity_standing.Fleet(["hub", "a", "b"], ["hub"], {"a": [], "b": []})


def record(*, trusts: str = OLD, by: str = OLD, **more: Any) -> dict[str, Any]:
    """A host that trusts `old`, or both, and holds what it was signed."""
    return {
        "trusts": [OLD, NEW] if trusts == NEW else [OLD],
        "authority": by,
        "checksum": "1",
        "holds": "1",
    } | more


def stand(**records: dict[str, Any]) -> Any:
    return identity_standing.stand(FLEET, records, NEW)


def test_nobody_gets_a_new_certificate_before_the_cloud_trusts_it() -> None:
    standing = stand(hub=record(), a=record(trusts=NEW), b=record(trusts=NEW))
    assert standing.signed_by_next == []
    assert standing.untrusting == ["hub"]


def test_one_that_is_away_holds_up_the_clouds_certificate_and_its_own_alone() -> None:
    standing = stand(hub=record(trusts=NEW), a=record(trusts=NEW), b=record())
    assert standing.signed_by_next == ["a"]
    assert standing.untrusting == ["b"]
    assert not standing.droppable
    said = identity_standing.words(standing)
    assert "It waits for b, which does not know the new authority yet." in said
    assert "With a certificate of the old one, until then: hub, a." in said


def test_the_old_one_goes_once_all_hold_certificates_of_the_new() -> None:
    done = record(trusts=NEW, by=NEW)
    assert not stand(hub=record(trusts=NEW), a=done, b=done).droppable
    assert not stand(hub=done, a=done, b=done | {"holds": "0"}).droppable, "signed, and not there yet"
    assert stand(hub=done, a=done, b=done).droppable


def test_nobody_waits_for_one_that_was_left_behind_or_never_had_anything() -> None:
    done = record(trusts=NEW, by=NEW)
    assert stand(hub=done, a=done, b=record(without=NEW)).droppable
    assert stand(hub=done, a=done).droppable
    assert not stand(hub=done, a=done, b=record(without="another")).droppable


def test_a_certificate_of_the_new_one_is_never_taken_back() -> None:
    standing = stand(hub=record(trusts=NEW, by=NEW), a=record(trusts=NEW, by=NEW), b=record())
    assert standing.signed_by_next == ["hub", "a"]


@pytest.mark.parametrize("behind", ["a", "b"])
def test_publishers_and_the_edge_broker_that_they_reach_wait_for_each_other(behind: str) -> None:
    fleet = identity_standing.Fleet(["hub", "a", "b", "c"], ["hub"], {"a": ["b"]})
    records = {host: record(trusts=OLD if host == behind else NEW) for host in fleet.members}
    assert identity_standing.stand(fleet, records, NEW).signed_by_next == ["c"]


def test_it_reads_the_authoritys_records(tmp_path: Path, play: Play) -> None:
    asked = {"members": ["hub", "a"], "servers": ["hub"], "publishers": {"hub": [], "a": []}}
    said = play("identity", "identity_standing", authority=str(tmp_path), **asked)
    assert (said["replacing"], said["droppable"]) == (False, False)
    (tmp_path / "next").mkdir()
    (tmp_path / "next/ca.crt").write_text("PEM\n")
    (tmp_path / "issued").mkdir()
    new = hashlib.sha256(b"PEM").hexdigest()
    for host, trusts in {"hub": [new], "a": []}.items():
        (tmp_path / f"issued/{host}.json").write_text(json.dumps(record() | {"trusts": trusts}))
    said = play("identity", "identity_standing", authority=str(tmp_path), **asked)
    assert (said["replacing"], said["untrusting"], said["unrenewed"]) == (True, ["a"], ["hub", "a"])
    assert not said["changed"]
