"""What issue after issue must keep true of the demo, in the order in which an operator would meet it."""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
from facefleet.messaging import topics
from facefleet.messaging.event import Box, FaceEvent, new_id, source_of
from facefleet.messaging.link import Link, Outcome
from facefleet.runtime.identity import Identity
from facefleet.sheet.account import count_faces
from facefleet.sheet.bucket import Bucket
from facefleet.sheet.cameras import Cameras
from mypy_boto3_s3 import S3Client
from pydantic import AnyUrl

from tests.demo import machine
from tests.integration.gallery_site import Visitor

BUCKET = "facefleet"
EDGE_BROKER = AnyUrl("mqtt://127.0.0.1:21883")
CLOUD_BROKER = AnyUrl("mqtts://127.0.0.1:28883")
DETECTORS = ("detector-lobby", "detector-garden")
MIB = 1024 * 1024

pytestmark = [pytest.mark.timeout(1800), pytest.mark.usefixtures("demo")]


def await_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"after {timeout_s:.0f} s still not: {what}")
        time.sleep(0.5)


def keys(s3: S3Client, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def captured() -> int:
    """Return how many faces the cameras say that they captured."""
    cameras = Cameras(EDGE_BROKER)
    try:
        reports = cameras.reports()
    finally:
        cameras.close()
    assert len(reports) == len(DETECTORS)
    counts = [report.captured for report in reports.values()]
    assert None not in counts, reports
    return sum(count or 0 for count in counts)


@pytest.fixture
def cameras_off() -> Iterator[None]:
    """Stop the cameras, so that the account stands still."""
    machine.compose("edge", "stop", *DETECTORS)
    yield
    machine.compose("edge", "start", *DETECTORS)


def test_it_ends_by_showing_what_happened(demo: str) -> None:
    said = demo[demo.rindex("Waiting for faces") :]
    total = re.search(r"^\s+all\s+(\d+)\s+(\d+)\s+0$", said, re.MULTILINE)
    assert total, said
    assert int(total[2]) >= 12
    assert f"s3://{BUCKET}/faces/" in said
    assert "docker compose logs" in said
    assert "--list" in said
    assert str(machine.REPO / ".demo/faces.png") in said


def test_a_face_of_the_contact_sheet_is_found_again() -> None:
    sheet = cv2.imread(str(machine.REPO / ".demo/faces.png"))
    assert sheet is not None
    model = machine.REPO / ".demo/model/face_detection_yunet_2023mar.onnx"
    if not model.exists():
        machine.run("make", str(model.relative_to(machine.REPO)))
    tiles = [
        sheet[y : y + 400, x : x + 400]
        for y in range(0, sheet.shape[0], 200)
        for x in range(0, sheet.shape[1], 200)
    ]
    finder = YuNetOnnx(model, 0.75, 640)
    assert any(finder.find(np.ascontiguousarray(tile)) for tile in tiles)


def test_the_log_of_the_logger_names_each_face() -> None:
    lines = [
        line
        for line in machine.compose("edge", "logs", "--no-color", "logger").splitlines()
        if "event=face" in line
    ]
    assert lines
    for name in ("device=demo", "camera=", "time=2", "score=0.", "box=", "size="):
        assert all(name in line for line in lines), name


def test_the_gallery_shows_the_faces_and_the_fleet_to_who_has_the_password(s3: S3Client) -> None:
    visitor = Visitor("http://127.0.0.1:28080")
    assert visitor.get("/").status == 303
    password = (machine.REPO / ".demo/gallery.password").read_text().strip()
    assert visitor.sign_in("demo", password).status == 303
    cards = visitor.get("/").cards
    assert cards
    assert set(cards) <= set(keys(s3, "faces/"))
    assert visitor.get(f"/thumbnail/{cards[0]}").headers["content-type"] == "image/jpeg"
    fleet = visitor.get("/fleet").text
    assert 'aria-label="demo"' in fleet
    assert all(camera in fleet for camera in ("lobby", "garden"))


def test_the_password_is_kept_by_a_second_run() -> None:
    file = machine.REPO / ".demo/gallery.password"
    given = ("gallery_user=demo", "gallery_password=", f"gallery_password_file={file}")
    options = [part for each in given for part in ("-e", each)]
    assert machine.changed_count(machine.play("playbooks/gallery_user.yml", *options)) == 0


@pytest.mark.parametrize("source", ["cloud", "devices"])
def test_status_shows_device_and_cameras_and_changes_nothing(source: str) -> None:
    output = machine.play("playbooks/status.yml", "-e", f"status_from={source}")
    assert machine.changed_count(output) == 0
    for pattern in (r"^ *demo +online", r"^ *lobby +ok", r"^ *garden +ok"):
        assert re.search(pattern, output, re.MULTILINE), output


def test_logs_come_in_one_file_without_secrets() -> None:
    machine.play("playbooks/logs.yml", "-e", "logs_since=1h")
    (file,) = (machine.REPO / ".cache/logs").glob("demo-*.txt")
    text = file.read_text()
    assert "event=face" in text
    assert "event=stored" in text
    for secret in ("kek", "admin", "processor", "operator", "gallery"):
        assert machine.read(f"/opt/facefleet/cloud/secrets/{secret}").strip() not in text
    file.unlink()


def test_a_second_run_changes_nothing() -> None:
    before = machine.container_ids()
    assert machine.changed_count(machine.play("site.yml")) == 0
    assert machine.container_ids() == before


def test_check_mode_reports_no_change() -> None:
    before = machine.container_ids()
    output = machine.play("site.yml", "--check", "--diff")
    assert machine.changed_count(output) == 0
    assert "\n+++ " not in output
    assert machine.container_ids() == before


def test_one_changed_template_restarts_one_container(tmp_path: Path) -> None:
    templates = tmp_path / "compose"
    shutil.copytree(machine.REPO / "compose", templates)
    with (templates / "edge/mosquitto.conf.j2").open("a") as file:
        file.write("# changed\n")
    before = machine.container_ids()
    machine.play("site.yml", "-e", f"stack_templates={templates}")
    after = machine.container_ids()
    assert {name for name in before if before[name] != after[name]} == {"facefleet-edge-broker-1"}
    machine.play("site.yml")
    again = machine.container_ids()
    assert {name for name in after if after[name] != again[name]} == {"facefleet-edge-broker-1"}


@pytest.fixture
def edited() -> Iterator[Callable[[str, str], str]]:
    """Edit the device's variables, in an inventory of the test's own that has the same place in the tree."""
    copy = machine.REPO / ".cache/edited"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(machine.REPO / "inventory/demo", copy)

    def edit(before: str, after: str) -> str:
        file = copy / "host_vars/demo.yml"
        assert file.read_text().count(before) == 1
        file.write_text(file.read_text().replace(before, after))
        return str(copy)

    yield edit
    shutil.rmtree(copy)


def test_a_cameras_setting_reaches_its_device_soon_and_restarts_nothing_else(
    edited: Callable[[str, str], str],
) -> None:
    before = machine.container_ids()
    begun = time.monotonic()
    machine.play("playbooks/edge.yml", "--limit", "demo", inventory=edited("repeat_s: 5", "repeat_s: 6"))
    took_s = time.monotonic() - begun
    after = machine.container_ids()
    assert {name for name in before if before[name] != after[name]} == {"facefleet-edge-detector-lobby-1"}
    assert took_s < 45, "17 to 26 s were measured on two cores with other work"
    release = (machine.STACKS / "edge/current").resolve().name
    await_until(lambda: machine.said("status/demo")["release"] == release, 10, "it says its new release")
    bad = machine.play("playbooks/edge.yml", check=False, inventory=edited("edge_cameras:", "edge_camera:"))
    assert "edge_camera, which no role knows" in re.sub(r"\s+", " ", bad)
    machine.play("playbooks/edge.yml")
    again = machine.container_ids()
    assert {name for name in after if after[name] != again[name]} == {"facefleet-edge-detector-lobby-1"}


def test_a_paused_camera_is_off_until_it_is_resumed() -> None:
    def lobby() -> dict[str, object]:
        cameras: dict[str, dict[str, object]] = machine.said("status/demo")["cameras"]
        return cameras["lobby"]

    pause = ("playbooks/pause.yml", "-e", "pause_camera=lobby", "--limit", "demo")
    before = machine.container_ids()
    refused = machine.play("playbooks/pause.yml", "-e", "pause_camera=lobbby", check=False)
    assert "demo has no camera lobbby. Its cameras are lobby, garden" in re.sub(r"\s+", " ", refused)
    assert machine.changed_count(machine.play(*pause, "--check")) == 1
    assert machine.said("status/demo/lobby")["camera"] == "ok"
    assert "lobby is paused until" in machine.play(*pause)
    assert machine.changed_count(machine.play(*pause)) == 0
    await_until(lambda: lobby()["camera"] == "paused", 10, "the device says so too")
    frames = machine.said("status/demo/lobby")["frames"]
    time.sleep(6)  # it says its status every five seconds
    status = machine.said("status/demo/lobby")
    assert (status["frames"], status["fps"]) == (frames, 0)
    assert machine.said("status/demo/garden")["camera"] == "ok"
    assert machine.changed_count(machine.play("playbooks/resume.yml", "--limit", "demo")) == 1
    await_until(lambda: machine.said("status/demo/lobby")["frames"] > frames, 10, "frames come again")
    assert machine.container_ids() == before


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"edge_camera": []}, "edge_camera, which no role knows"),
        ({"edge_mqtt_qos": 3}, "edge_mqtt_qos must be one of: 0, 1, 2"),
        ({"edge_cameras": [{"name": "lobby", "source": "/dev/video0", "lop": True}]}, "edge_cameras.lop"),
        ({"edge_cameras": [{"name": "Lobby!", "source": "/dev/video0"}]}, "small letters, digits and dashes"),
        ({"edge_cameras": [{"name": "lobby", "source": "/dev/video77"}]}, "/dev/video77 is not there"),
    ],
    ids=["unknown", "impossible", "unknown in a camera", "bad name", "missing camera"],
)
def test_a_bad_inventory_is_refused_and_nothing_changes(setting: dict[str, object], complaint: str) -> None:
    before = machine.container_ids()
    output = machine.play("site.yml", "-e", json.dumps(setting), check=False)
    assert complaint in re.sub(r"\s+", " ", output)
    assert machine.changed_count(output) == 0
    assert machine.container_ids() == before


def test_every_container_is_confined_and_healthy() -> None:
    found = machine.containers()
    assert len(found) == 11
    for container in found:
        name, host = container["Name"], container["HostConfig"]
        assert container["Config"]["User"] == "10001:10001", name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"], name
        assert host["PidsLimit"], name
        assert host["LogConfig"]["Config"]["max-size"], name
        assert container["State"]["Health"]["Status"] == "healthy", name
        for bindings in (host["PortBindings"] or {}).values():
            assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}, name


def test_images_and_memory_stay_small() -> None:
    for container in machine.containers():
        size = int(machine.docker("image", "inspect", "--format", "{{.Size}}", container["Image"])) / MIB
        limit = 500 if "detector" in container["Name"] else 250
        assert size < limit, container["Name"]
    used = 0.0
    for line in machine.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines():
        name, usage, *_ = line.split()
        if "facefleet-edge" in name and "garden" not in name:
            number, unit = re.fullmatch(r"([\d.]+)(\w+)", usage).groups()  # type: ignore[union-attr]
            used += float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]
    assert 0 < used < 350, f"the edge stack with one camera uses {used:.0f} MiB"


@pytest.mark.usefixtures("cameras_off")
def test_captured_is_stored_and_every_object_is_what_its_metadata_says(s3: S3Client) -> None:
    want = captured()
    await_until(lambda: len(keys(s3, "faces/")) >= want, 30, f"{want} faces stored")
    stored = keys(s3, "faces/")
    assert len(stored) == want
    assert sum(count_faces(Bucket(BUCKET, "http://127.0.0.1:28333").faces()).values()) == want
    for key in stored:
        face = s3.get_object(Bucket=BUCKET, Key=key)
        body, about = face["Body"].read(), face["Metadata"]
        image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None, key
        assert body.startswith(b"\x89PNG"), key
        assert about["sha256"] == hashlib.sha256(body).hexdigest(), key
        assert about["source"] == source_of("demo", about["camera"]), key
        assert key.startswith(f"faces/demo/{about['camera']}/{about['time'][:10].replace('-', '/')}/"), key
        assert key.endswith(f"-{about['id']}.png"), key
        assert face["ContentType"] == "image/png"
        assert face["ServerSideEncryption"] == "AES256"


@pytest.fixture
def stolen(tmp_path: Path) -> Iterator[Identity]:
    """The device's identity, as whoever opens the device has it, and the device itself silent."""
    machine.compose("edge", "stop", "forwarder")
    for name in ("ca.crt", "host.crt", "host.key"):
        (tmp_path / name).write_text(machine.read(f"/etc/facefleet/identity/{name}"))
    yield Identity.within(tmp_path)
    machine.compose("edge", "start", "forwarder")


def publish(identity: Identity, event: FaceEvent, properties: list[tuple[str, str]] | None = None) -> None:
    """Publish to the cloud broker past the edge, as a broken or hostile device would."""
    outcomes: list[Outcome] = []
    link = Link(CLOUD_BROKER, "demo-test", identity=identity)
    link.start()
    await_until(lambda: link.connected, 30, "the cloud broker takes a connection")
    link.publish(
        topics.faces("face_detection", event.device, event.camera),
        event.image,
        content_type=event.content_type,
        properties=properties or event.attributes(),
        done=outcomes.append,
    )
    await_until(lambda: bool(outcomes), 30, "an answer of the cloud broker")
    link.stop()
    assert outcomes == [Outcome.ACCEPTED]


def event_of(image: bytes) -> FaceEvent:
    return FaceEvent("demo", "lobby", new_id(), datetime.now(UTC), 1, 1, 0.9, Box(1, 2, 30, 40), image)


@pytest.mark.usefixtures("cameras_off")
def test_what_can_never_be_stored_is_a_dead_letter_and_blocks_nobody(s3: S3Client, stolen: Identity) -> None:
    png = cv2.imencode(".png", np.zeros((40, 30, 3), np.uint8))[1].tobytes()
    broken = png[:40] + b"\x00\x00" + png[42:]
    forged = event_of(png)
    named = [
        (key, "/devices/other/cameras/lobby" if key == "source" else value)
        for key, value in forged.attributes()
    ]
    before = len(keys(s3, "faces/"))
    publish(stolen, event_of(broken))
    publish(stolen, event_of(png + bytes(20 * MIB)))
    publish(stolen, forged, named)
    publish(stolen, event_of(png))
    await_until(lambda: len(keys(s3, "faces/")) == before + 1, 30, "the good one stored behind the bad ones")
    await_until(lambda: len(keys(s3, "dead-letter/")) == 3, 30, "three dead letters")
    reasons = [
        s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]["reason"] for key in keys(s3, "dead-letter/")
    ]
    for told in (
        "no sound PNG",
        "bytes are more than image_max_bytes",
        "source is '/devices/other/cameras/lobby'",
    ):
        assert any(told in reason for reason in reasons), reasons
    for key in keys(s3, "faces/"):
        if key.endswith("png") and s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] == len(png):
            return
    pytest.fail("the good one is not there")


def test_nothing_is_lost_or_doubled_while_the_s3_server_is_away_for_a_minute(s3: S3Client) -> None:
    extra = len(keys(s3, "faces/")) - captured_and_stored(s3)
    machine.compose("cloud", "stop", "s3")
    time.sleep(60)  # the outage itself
    machine.compose("cloud", "start", "s3")
    await_until(lambda: s3_answers(s3), 60, "the S3 server back")
    machine.compose("edge", "stop", *DETECTORS)
    want = captured() + extra
    await_until(lambda: len(keys(s3, "faces/")) >= want, 60, f"{want} faces stored")
    stored = keys(s3, "faces/")
    assert len(stored) == want
    digests = [s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]["id"] for key in stored]
    assert len(set(digests)) == len(digests)
    machine.compose("edge", "start", *DETECTORS)


def test_nothing_is_lost_or_doubled_when_every_service_and_broker_is_killed(s3: S3Client) -> None:
    extra = len(keys(s3, "faces/")) - captured_and_stored(s3)
    victims = [container for container in machine.containers() if "s3" not in container["Name"]]
    for victim in victims:
        machine.kill(victim)
    await_until(
        lambda: all(
            container["State"].get("Health", {}).get("Status") == "healthy"
            and container["RestartCount"] == (container["Id"] in {victim["Id"] for victim in victims})
            for container in machine.containers()
        ),
        120,
        "all are back by themselves",
    )
    machine.compose("edge", "stop", *DETECTORS)
    want = captured() + extra
    await_until(lambda: len(keys(s3, "faces/")) >= want, 60, f"{want} faces stored")
    stored = keys(s3, "faces/")
    assert len(stored) == want
    assert len({key.rpartition("-")[2] for key in stored}) == want
    machine.compose("edge", "start", *DETECTORS)


def captured_and_stored(s3: S3Client) -> int:
    """Return what the cameras captured, at a moment when no face is on its way."""
    machine.compose("edge", "stop", *DETECTORS)
    count = captured()
    await_until(lambda: len(keys(s3, "faces/")) >= count, 30, f"{count} faces stored")
    machine.compose("edge", "start", *DETECTORS)
    return count


def s3_answers(s3: S3Client) -> bool:
    try:
        s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1)
    except Exception:  # noqa: BLE001 - whatever it says while it starts, it is not ready
        return False
    return True


def test_all_that_a_camera_saw_is_forgotten_and_nothing_else(s3: S3Client) -> None:
    machine.play("playbooks/pause.yml", "-e", "pause_camera=garden")
    captured_and_stored(s3)
    before = keys(s3, "faces/")
    mine = [key for key in before if "/garden/" in key]
    assert mine
    camera = ("-e", "forget_device=demo", "-e", "forget_camera=garden")
    shown = machine.play("playbooks/forget.yml", *camera, "--check")
    assert str(len(mine)) in shown
    assert [key for key in keys(s3, "faces/") if "/garden/" in key] == mine
    machine.play("playbooks/forget.yml", *camera, "-e", "forget_confirmed=true")
    after = keys(s3, "faces/")
    assert not [key for key in after if "/garden/" in key]
    assert set(before) - set(mine) <= set(after)
    assert (
        machine.changed_count(machine.play("playbooks/forget.yml", *camera, "-e", "forget_confirmed=true"))
        == 0
    )
    machine.play("playbooks/resume.yml", "-e", "pause_camera=garden")


def test_a_camera_of_ones_own_takes_the_place_of_the_two() -> None:
    said = machine.run("make", "demo", "CAMERA=.demo/clips/single_face.mp4", timeout_s=600).stdout
    detectors = {name for name in machine.container_ids() if "detector" in name}
    assert detectors == {"facefleet-edge-detector-camera-1"}
    line = re.search(r"^\s+demo/camera\s+(\d+)\s+(\d+)\s+0$", said, re.MULTILINE)
    assert line, said[-2000:]
    assert int(line[2]) >= 1
    table = machine.play("playbooks/status.yml", "-e", "status_from=devices")
    assert re.search(r"^ *camera +ok", table, re.MULTILINE), table
    assert "lobby" not in table  # the two that are no more left nothing behind


def test_down_leaves_nothing() -> None:
    machine.run("make", "demo-down")
    assert not machine.STACKS.exists()
    assert not Path("/var/lib/facefleet").exists()
    assert not Path("/var/cache/facefleet").exists()
    assert not (machine.REPO / ".demo").exists()
    if machine.has_docker():
        assert machine.containers() == []
        assert machine.listed(["volume", "ls", "--format", "{{.Name}}"]) == []
        assert machine.listed(["network", "ls", "--format", "{{.Name}}"]) == []
        assert machine.listed(["image", "ls", "--format", "{{.Repository}}"]) == []
