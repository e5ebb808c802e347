"""The same content is the same edition; orders are signed so that openssl can tell."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from tests.unit.roles.conftest import Play, module_of
from tests.unit.roles.plugins import plugin

edition = module_of("promote", "promote_edition")
IMAGE = {"id": "sha256:aa", "config": {"sha256": "a" * 64, "size": 1}, "layers": []}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """What the role gives the module, for two devices of two rings."""
    repository = tmp_path / "repository"
    for part in edition.PARTS[1:]:
        (repository / part).mkdir(parents=True)
        (repository / part / "main.yml").write_text(part)
    (repository / "ansible.cfg").write_text("[defaults]\n")
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "signer.key").write_bytes(locked)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "signer.pub").write_bytes(public)
    want = {"soak_s": 60, "variables": {"edge_window": 500}, "images": ["b:1"], "puller": "p:1"}
    return {
        "repository": str(repository),
        "wants": [{"device": f"jetson-0{n}", "ring": n - 1, **want} for n in (1, 2)],
        "only": ["jetson-01", "jetson-02"],
        "images": {"b:1": IMAGE, "p:1": IMAGE},
        "pullers": {"p:1": {"path": "/p.tar.gz", "sha256": "b" * 64, "bytes": 9}},
        "blobs": "/blobs",
        "trust": "-----",
        "newest": {},
        "signer": str(tmp_path / "signer.key"),
        "passphrase": "secret",
        "inbox": str(tmp_path / "inbox"),
    }


def test_each_device_gets_an_order_that_openssl_finds_signed(
    given: dict[str, Any], play: Play, tmp_path: Path
) -> None:
    said = play("promote", "promote_edition", **given)
    assert said["ordered"] == ["jetson-01", "jetson-02"]
    assert said["blobs"]["b" * 64] == "/p.tar.gz"
    assert said["blobs"]["a" * 64] == f"/blobs/{'a' * 64}"
    (text,) = (tmp_path / "inbox/orders/jetson-02").glob("*.json")
    order = json.loads(text.read_text())
    assert (order["device"], order["ring"], order["edition"]) == ("jetson-02", 1, said["edition"])
    assert text.stem == f"{order['serial']:010}"
    signature = tmp_path / "signature"
    signature.write_bytes(base64.b64decode(text.with_suffix(".sig").read_text()))
    command = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        str(tmp_path / "signer.pub"),
        "-signature",
        str(signature),
    ]
    assert subprocess.run([*command, str(text)], check=False).returncode == 0
    text.write_text(text.read_text() + " ")
    assert subprocess.run([*command, str(text)], check=False).returncode != 0


def test_a_second_run_without_a_change_orders_nothing(given: dict[str, Any], play: Play) -> None:
    first = play("promote", "promote_edition", **given)
    newest = {device: {"serial": 7, "edition": first["edition"]} for device in given["only"]}
    second = play("promote", "promote_edition", **given | {"newest": newest})
    assert not second["changed"]
    assert (second["edition"], second["ordered"], second["blobs"]) == (first["edition"], [], {})
    again = play("promote", "promote_edition", **given | {"newest": newest, "again": True})
    assert again["edition"] != first["edition"]
    assert again["ordered"] == given["only"]


def test_the_canaries_alone_get_the_edition_that_the_others_get_later(
    given: dict[str, Any], play: Play
) -> None:
    first = play("promote", "promote_edition", **given | {"only": ["jetson-01"]})
    assert first["ordered"] == ["jetson-01"]
    newest = {"jetson-01": {"serial": 7, "edition": first["edition"]}}
    second = play("promote", "promote_edition", **given | {"newest": newest})
    assert (second["edition"], second["ordered"]) == (first["edition"], ["jetson-02"])


def ordered(given: dict[str, Any], said: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what the depot knows once the orders of a run are there."""
    files = ((device, *(folder / "inbox/orders" / device).glob("*.json")) for device in said["ordered"])
    orders = {device: json.loads(file.read_text()) for device, file in files}
    newest: dict[str, Any] = dict(given["newest"])
    for device, order in orders.items():
        newest[device] = {name: order[name] for name in ("serial", "edition", "content")}
    return newest


def test_one_who_comes_gets_the_edition_of_those_who_are_there_and_one_who_goes_makes_no_other(
    given: dict[str, Any], play: Play, tmp_path: Path
) -> None:
    wants = given["wants"]
    first = play("promote", "promote_edition", **given | {"wants": wants[:1], "only": ["jetson-01"]})
    given["newest"] = ordered(given, first, tmp_path)
    second = play("promote", "promote_edition", **given | {"only": ["jetson-02"], "proved": True})
    assert (second["edition"], second["ordered"]) == (first["edition"], ["jetson-02"])
    given["newest"] = ordered(given, second, tmp_path)
    third = play("promote", "promote_edition", **given | {"wants": wants[1:], "only": ["jetson-02"]})
    assert (third["edition"], third["changed"]) == (first["edition"], False)


def test_one_who_is_let_in_is_no_canary(given: dict[str, Any], play: Play, tmp_path: Path) -> None:
    first = play("promote", "promote_edition", **given | {"only": ["jetson-01"]})
    given["newest"] = ordered(given, first, tmp_path)
    (Path(given["repository"]) / "roles/main.yml").write_text("changed since")
    let_in = given | {"only": ["jetson-02"], "proved": True}
    said = play("promote", "promote_edition", **let_in)
    assert (said["ordered"], said["waiting"], said["changed"]) == ([], ["jetson-02"], False)
    assert said["edition"] != first["edition"]
    promoted = play("promote", "promote_edition", **given)
    assert promoted["ordered"] == ["jetson-01", "jetson-02"]


def test_the_first_of_all_waits_for_nobody(given: dict[str, Any], play: Play) -> None:
    said = play("promote", "promote_edition", **given | {"only": ["jetson-02"], "proved": True})
    assert (said["ordered"], said["waiting"]) == (["jetson-02"], [])


@pytest.mark.parametrize("part", ["playbooks/main.yml", "roles/main.yml", "compose/main.yml", "ansible.cfg"])
def test_another_playbook_is_another_edition(given: dict[str, Any], play: Play, part: str) -> None:
    first = play("promote", "promote_edition", **given)["edition"]
    (Path(given["repository"]) / part).write_text("other")
    assert play("promote", "promote_edition", **given)["edition"] != first


def test_a_serial_is_above_the_last_and_follows_the_clock() -> None:
    assert edition.next_serial(0, 1_795_900_000.5) == 1_795_900_000
    assert edition.next_serial(1_999_999_999, 1_795_900_000.5) == 2_000_000_000


def test_an_enrolment_is_signed_once_and_only_if_we_opened_it() -> None:
    waiting = plugin("promote/filter_plugins/promote_enrolment.py")
    said = {"a": {"request": "pem"}, "b": {"request": None}, "c": {"request": "pem"}, "d": {"request": "pem"}}
    records = {"a": {"secret": "s"}, "b": {"secret": "s"}, "d": {"secret": "s", "signed": "pem"}}
    assert waiting.unsigned(said, records) == {"a": {"request": "pem"}}


def test_the_mac_is_that_of_openssl() -> None:
    waiting = plugin("promote/filter_plugins/promote_enrolment.py")
    made = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", "0a1b"], input=b"request\n", capture_output=True, check=True
    )
    assert made.stdout.decode().strip().endswith(waiting.mac("0a1b", "request\n"))
