"""The playbooks of an order, as Ansible plays them against the inventory of one host."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from facefleet.puller.order import read
from facefleet.puller.play import OPTIONS, STACK, Failed, inventory, run

from tests.unit.puller.orders import order

SAY = "{{ edge_cameras[0].source }} {{ edge_window }} {{ images_ids | to_json }}"


def test_it_is_the_order_s_and_no_password_is_taken_for_a_template(tmp_path: Path) -> None:
    cameras = [{"name": "lobby", "source": "rtsp://anna:{{ 7 * 7 }}@camera/1"}]
    wanted = read(order(variables={"edge_cameras": cameras, "edge_window": 400}), "jetson-01")
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(inventory(wanted, "facefleet/puller:1", tmp_path / "failed"))
    task = [{"hosts": "edge", "gather_facts": False, "tasks": [
        {"ansible.builtin.debug": {"msg": SAY}}]}]  # fmt: skip
    play = tmp_path / "play.yml"
    play.write_text(json.dumps(task))
    said = subprocess.run(
        [sys.executable, "-m", "ansible.cli.playbook", "-i", str(hosts), str(play)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    ).stdout
    assert "rtsp://anna:{{ 7 * 7 }}@camera/1 400" in said, said
    assert "sha256:aa" in said


def archive(folder: Path, **playbooks: dict[str, Any]) -> Path:
    """Pack playbooks, each of one task for the device."""
    names = {"stack": STACK, "options": OPTIONS}
    with tarfile.open(folder / "playbooks.tar", "w") as packed:
        for name, task in playbooks.items():
            file = folder / f"{name}.yml"
            file.write_text(json.dumps([{"hosts": "edge", "gather_facts": False, "tasks": [task]}]))
            packed.add(file, names[name])
    return folder / "playbooks.tar"


def fails(text: str) -> dict[str, Any]:
    return {"ansible.builtin.fail": {"msg": text}}


FINE = {"ansible.builtin.debug": {"msg": "so it shall be"}}


@pytest.mark.parametrize(
    ("playbooks", "hinders"),
    [
        ({"stack": FINE}, ""),
        ({"stack": FINE, "options": FINE}, ""),
        ({"stack": FINE, "options": fails("chrony cannot be installed")}, "chrony cannot be installed"),
    ],
)
def test_what_a_host_does_besides_is_no_fault_of_the_release(
    tmp_path: Path, playbooks: dict[str, Any], hinders: str
) -> None:
    packed = archive(tmp_path, **playbooks)
    wanted = read(order(), "jetson-01")
    assert run(wanted, packed, tmp_path / "work", "facefleet/puller:1", tmp_path) == hinders


def test_a_release_that_fails_says_why_and_the_rest_is_left(tmp_path: Path) -> None:
    packed = archive(tmp_path, stack=fails("no receipt came"), options=fails("this is not to be tried"))
    with pytest.raises(Failed, match="no receipt came"):
        run(read(order(), "jetson-01"), packed, tmp_path / "work", "facefleet/puller:1", tmp_path)
