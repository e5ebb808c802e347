"""The inventory of one host, as Ansible reads it."""

import json
import subprocess
import sys
from pathlib import Path

from facefleet.puller.order import read
from facefleet.puller.play import inventory

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
