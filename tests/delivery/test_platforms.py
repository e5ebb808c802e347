"""Images for arm64, built here and run here under emulation."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from facefleet.detector.following.likeness import iou
from facefleet.messaging.event import Box

from tests.demo_files import DEMO, present
from tests.fleet.hosts import emulation
from tests.fleet.hosts.image import MissingToolError
from tests.fleet.site import PLAYBOOK, REPO, Played

PICTURE = DEMO / "clips/multi_face.jpg"
FIND = """
import json, os, cv2
from pathlib import Path
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
finder = YuNetOnnx(Path(os.environ["FACEFLEET_MODEL"]), 0.75, 640)
print(json.dumps([str(face.box) for face in finder.find(cv2.imread("/picture.jpg"))]))
"""
IMPORT = """
import importlib, pkgutil, facefleet
for module in pkgutil.walk_packages(facefleet.__path__, "facefleet."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
SETTINGS = ("FACEFLEET_BROKER=mqtt://edge-broker:1883", "FACEFLEET_DEVICE=jetson-01")

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def refs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Build for both platforms; return platform to image to reference."""
    folder = tmp_path_factory.mktemp("platforms")
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    hosts: dict[str, Any] = {"box": {"images_platform": "amd64"}, "jetson": {"images_platform": "arm64"}}
    (folder / "hosts.json").write_text(
        json.dumps({"control": {"hosts": {"laptop": {}}}, "edge": {"hosts": hosts}, "all": {"vars": local}})
    )
    tell = folder / "tell.json"
    tell.write_text(
        json.dumps(
            [
                {
                    "hosts": "edge",
                    "gather_facts": False,
                    "tasks": [
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ images_refs | to_json }}",
                                "dest": f"{folder}/{{{{ images_platform }}}}.json",
                                "mode": "0644",
                            }
                        }
                    ],
                }
            ]
        )
    )
    for _ in range(2):
        said = subprocess.run(
            [str(PLAYBOOK), "-i", str(folder / "hosts.json"), "playbooks/images.yml", str(tell)],
            cwd=REPO,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
            check=False,
        )
        played = Played(said.returncode, said.stdout, 0).succeeded()
    assert played.changed == {}, "a second run builds nothing"
    try:
        with emulation.arm64():
            yield {
                platform: json.loads((folder / f"{platform}.json").read_text())
                for platform in ("amd64", "arm64")
            }
    except MissingToolError as error:
        pytest.skip(str(error))


def run(ref: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a command in a container of an image, without network; return what it said."""
    inspected = ["docker", "image", "inspect", "--format", "linux/{{.Architecture}}", ref]
    platform = subprocess.check_output(inspected, text=True).strip()
    started = [
        "docker",
        "run",
        "--rm",
        "--network=none",
        "--read-only",
        f"--platform={platform}",
        *options,
        ref,
    ]
    done = subprocess.run([*started, *command], text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_image_is_of_its_platform(refs: dict[str, dict[str, str]]) -> None:
    for platform, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        for ref in refs[platform].values():
            assert run(ref, "uname", "-m").strip() == machine


def test_the_logger_for_arm64_runs(refs: dict[str, dict[str, str]]) -> None:
    settings = tuple(f"--env={setting}" for setting in SETTINGS)
    run(refs["arm64"]["logger"], "python3", "-m", "facefleet.logger", "--check", options=settings)


def test_the_broker_for_arm64_runs(refs: dict[str, dict[str, str]]) -> None:
    assert "mosquitto version 2" in run(refs["arm64"]["broker"], "sh", "-c", "mosquitto -h || true")


@pytest.mark.parametrize("image", ["logger", "forwarder", "processor", "detector"])
def test_every_module_can_be_imported(refs: dict[str, dict[str, str]], image: str) -> None:
    """What a wheel needs of the system is in the image."""
    for platform in refs:
        run(refs[platform][image], "python3", "-c", IMPORT)


def test_the_detector_for_arm64_finds_the_same_faces(refs: dict[str, dict[str, str]]) -> None:
    mount = (f"--volume={present(PICTURE)}:/picture.jpg:ro",)
    found = {
        platform: [
            Box.parse(text) for text in json.loads(run(ref["detector"], "python3", "-c", FIND, options=mount))
        ]
        for platform, ref in refs.items()
    }
    assert len(found["amd64"]) == len(found["arm64"]) == 5
    # Another processor rounds otherwise: a pixel, not more.
    for one, other in zip(found["amd64"], found["arm64"], strict=True):
        assert iou(one, other) > 0.97, (one, other)
