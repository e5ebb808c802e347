"""Over ssh: only what the host lacks, and only what was built."""

import gzip
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.delivery.depot import Depot

EDGE = ("broker", "logger", "forwarder", "detector")

MODULE = Path(__file__).resolve().parents[2] / "roles/deliver/library/image_archive.py"

pytestmark = pytest.mark.timeout(1200)


def layers(archive: Path) -> list[str]:
    """Return the names of the layers in an archive."""
    with tarfile.open(archive) as file:
        return [name for name in file.getnames() if name.endswith(".tar")]


def test_the_host_gets_what_was_built_and_each_layer_once(device: Depot) -> None:
    whole = ("-e", json.dumps({"depot_images": EDGE}))
    device.deliver(*whole).succeeded()
    wanted = device.wanted()
    assert device.on("jetson-01") == wanted
    assert len(wanted) == len(EDGE)
    archive = device.only_archive()
    assert sorted(set(layers(archive))) == sorted(layers(archive))
    assert len(layers(archive)) == len({layer for ref in wanted for layer in device.layers_of(ref)})
    assert "No such file" in device.lab["jetson-01"].run("ls", "/var/cache/facefleet/delivery", check=False)

    assert device.deliver(*whole).succeeded().changed == {}
    device.tidy()
    assert not device.archives.exists()


def test_a_changed_line_brings_what_is_new(device: Depot) -> None:
    device.deliver().succeeded()
    device.tidy()
    before = device.on("jetson-01")
    device.edit("forwarder")
    device.play("playbooks/images.yml", "--limit", "edge").succeeded()
    device.deliver().succeeded()
    ((forwarder, _),) = device.on("jetson-01").items() - before.items()
    assert forwarder.startswith("facefleet/forwarder:")
    there = {layer for ref in before for layer in device.layers_of(ref)}
    new = [layer for layer in device.layers_of(forwarder) if layer not in there]
    archive = device.only_archive()
    assert sorted(layers(archive)) == sorted(f"{layer.removeprefix('sha256:')}.tar" for layer in new)
    assert archive.stat().st_size < 100_000


def test_another_image_of_that_name_is_replaced(device: Depot) -> None:
    device.deliver().succeeded()
    wanted = device.wanted()
    broker, logger = (next(ref for ref in wanted if name in ref) for name in ("broker", "logger"))
    device.lab["jetson-01"].run("docker", "tag", broker, logger)
    assert device.deliver().succeeded().changed == {"jetson-01": 2}
    assert device.on("jetson-01") == wanted


def test_an_archive_that_was_exchanged_is_refused(device: Depot, tmp_path: Path) -> None:
    device.deliver().succeeded()
    archive, wanted = device.only_archive(), device.wanted()
    forged = tmp_path / "forged.tar"
    with tarfile.open(archive) as source, tarfile.open(forged, "w") as target:
        for member in source:
            content = source.extractfile(member)
            assert content
            if member.name == "manifest.json":
                manifest = json.load(content)
                broker = next(image for image in manifest if "broker" in image["RepoTags"][0])
                for image in manifest:
                    image |= {"Config": broker["Config"], "Layers": broker["Layers"]}
                text = tmp_path / "manifest.json"
                text.write_text(json.dumps(manifest))
                target.add(text, "manifest.json")
            else:
                target.addfile(member, content)
    with forged.open("rb") as plain, gzip.open(archive, "wb", 1) as packed:
        shutil.copyfileobj(plain, packed)
    device.empty("jetson-01")

    device.deliver().failed("did not get the images that the control host built", "facefleet/forwarder")
    kept = device.on("jetson-01")
    assert kept.items() <= wanted.items()
    assert not any("forwarder" in ref for ref in kept)
    device.tidy()
    device.deliver().succeeded()
    assert device.on("jetson-01") == wanted


def test_a_damaged_archive_is_refused(device: Depot) -> None:
    device.deliver().succeeded()
    archive, wanted = device.only_archive(), device.wanted()
    device.empty("jetson-01")
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size // 2)
    device.deliver().failed("jetson-01 does not take the images")
    assert device.on("jetson-01") == {}
    assert "No such file" in device.lab["jetson-01"].run("ls", "/var/cache/facefleet/delivery", check=False)
    device.tidy()
    device.deliver().succeeded()
    assert device.on("jetson-01") == wanted


def test_who_asks_at_the_same_time_gets_the_same_archive(tmp_path: Path) -> None:
    listed = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "facefleet/logger"]
    built = subprocess.check_output(listed, text=True).split()
    if not built:
        pytest.skip("no image facefleet/logger: ansible-playbook -i inventory/demo playbooks/images.yml")
    arguments = {"images": [built[0]], "present": [], "folder": str(tmp_path / "archives"), "level": 1}
    askers = [
        subprocess.Popen(
            [sys.executable, str(MODULE), json.dumps({"ANSIBLE_MODULE_ARGS": arguments})],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    answers = [json.loads(asker.communicate(timeout=120)[0]) for asker in askers]
    assert [answer["changed"] for answer in answers].count(True) == 1
    assert len({answer["path"] for answer in answers}) == 1
    assert len(list((tmp_path / "archives").glob("*.tar.gz"))) == 1
