"""A fleet's life, in the order in which an operator lives it: from bare hosts to nothing left."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fleet import refused
from tests.fleet.hosts.lab import FOLDER
from tests.fleet.site import CLOUD, REPO, Site

pytestmark = pytest.mark.timeout(1800)

SSH, BROKER_TLS = 22, 8883
CA = FOLDER / "authority/ca.crt"


# --- from nothing ---


def test_check_mode_goes_through_on_bare_hosts_and_an_empty_account(bare_site: Site) -> None:
    bare_site.play("site.yml", "--check").succeeded()
    ec2 = bare_site.account.session().client("ec2", endpoint_url=bare_site.account.url)
    assert ec2.describe_instances()["Reservations"] == []
    for host in bare_site.lab.names:
        assert (
            bare_site.lab[host].run("ls", "/opt", "/etc/facefleet", check=False).strip().count("facefleet")
            <= 1
        )
        assert "docker" not in bare_site.lab[host].run("sh", "-c", "ls /usr/bin | grep docker || true")


def test_faces_of_each_device_come_into_the_bucket(site: Site) -> None:
    counts = {device: site.faces(device) for device in site.devices}
    assert all(counts.values()), counts
    assert site.keys("dead-letter/") == []


def test_a_second_run_changes_nothing(site: Site) -> None:
    before = site.all_containers()
    played = site.play("site.yml").succeeded()
    assert played.changed == {}, played.output[-6000:]
    assert site.all_containers() == before


def test_check_mode_says_that_nothing_would_change(site: Site) -> None:
    played = site.play("site.yml", "--check", "--diff").succeeded()
    assert played.changed == {}, played.output[-6000:]


def test_only_the_stated_ports_answer(site: Site) -> None:
    assert site.lab["cloud"].reach() == [SSH, BROKER_TLS]
    for device in site.devices:
        assert site.lab[device].reach() == [SSH], device


def test_no_key_of_aws_is_on_the_cloud_host(site: Site) -> None:
    found = site.lab["cloud"].run(
        "sh", "-c", "grep -rlE 'aws_secret_access_key|AKIA[A-Z0-9]{16}' /opt/facefleet /etc/facefleet || true"
    )
    assert found == ""


def test_a_hosts_private_key_is_read_by_its_services_only(site: Site) -> None:
    key = "/etc/facefleet/identity/host.key"  # a link to the pair of now
    listed = site.ask("jetson-01", "stat", "--dereference", "--format", "%u %a", key).split()
    assert listed == ["10001", "400"]
    kept = [path.name for path in (FOLDER / "authority").rglob("*.key")]
    assert sorted(kept) == ["ca.key", "signer.key"]
    assert "ENCRYPTED" in (FOLDER / "authority/ca.key").read_text()


# --- who is let in ---


@pytest.fixture(scope="session")
def authority(site: Site) -> refused.Authority:  # noqa: ARG001 - site.yml makes it
    return refused.Authority.of_the_fleet(FOLDER / "authority", FOLDER / "authority.passphrase")


def test_without_a_certificate_nobody_is_let_in(site: Site) -> None:
    with pytest.raises(PermissionError), refused.connected(site.lab["cloud"].address, CA, None):
        pass


def test_a_certificate_of_another_authority_is_refused(site: Site, tmp_path: Path) -> None:
    identity = refused.Authority.made_up().sign("jetson-01", tmp_path)
    with pytest.raises(PermissionError), refused.connected(site.lab["cloud"].address, CA, identity):
        pass


def test_an_expired_certificate_is_refused(site: Site, authority: refused.Authority, tmp_path: Path) -> None:
    good = authority.sign("jetson-02", tmp_path / "good")
    with refused.connected(site.lab["cloud"].address, CA, good) as stranger:
        assert stranger.publish("status/jetson-02") in ("Success", "No matching subscribers")
    expired = authority.sign("jetson-02", tmp_path / "expired", days=-1)
    with pytest.raises(PermissionError), refused.connected(site.lab["cloud"].address, CA, expired):
        pass


def test_a_device_cannot_speak_for_another(site: Site, authority: refused.Authority, tmp_path: Path) -> None:
    identity = authority.sign("jetson-02", tmp_path)
    with refused.connected(site.lab["cloud"].address, CA, identity) as stranger:
        assert stranger.publish("face_detection/jetson-01/lobby") == "Not authorized"
        assert stranger.publish("receipts/jetson-01") == "Not authorized"
        assert stranger.publish("status/jetson-01") == "Not authorized"


# --- releases ---


def test_a_bad_image_is_stopped_at_the_canary_and_rolled_back(site: Site, bad_services: Path) -> None:
    before = {device: site.release(device) for device in site.devices}
    ran = {device: site.containers(device) for device in site.devices}
    seen = site.faces("jetson-01")
    played = site.play(
        "playbooks/images.yml",
        "playbooks/edge.yml",
        "-e",
        f"images_context={bad_services}",
        "-e",
        "edge_gate_s=20",
    ).failed(
        "of the edge stack of jetson-01 failed", "no receipt came", f"back at release {before['jetson-01']}"
    )
    assert played.count("failed")["jetson-01"] == 1
    assert {device: site.release(device) for device in site.devices} == before
    for device in site.devices[1:]:
        assert site.containers(device) == ran[device], f"{device} was touched"
    logs = list((REPO / ".cache/failed").glob("jetson-01-edge-*.log"))
    assert logs
    assert any("service=forwarder" in log.read_text() for log in logs)
    site.await_faces("jetson-01", more_than=seen)
    assert site.play("site.yml").succeeded().changed == {}


def test_one_changed_setting_restarts_one_container_of_one_device(site: Site) -> None:
    before = site.all_containers()
    device = site.devices[-1]
    site.play("playbooks/edge.yml", "-e", "edge_window=400", limit=["control", CLOUD, device]).succeeded()
    after = site.all_containers()
    changed = {
        (host, name)
        for host, names in before.items()
        for name, one in names.items()
        if after[host].get(name) != one
    }
    assert changed == {(device, "facefleet-edge-forwarder-1")}
    site.play("playbooks/edge.yml", limit=["control", CLOUD, device]).succeeded()


@pytest.mark.full
def test_an_upgrade_from_the_commit_before_keeps_the_backlog(site: Site, tmp_path: Path) -> None:
    """The release of the commit before is deployed, its devices are cut off, and this one goes over it."""
    before = _checkout("HEAD~1", tmp_path)
    device = site.devices[0]
    inventory = ("-e", f"identity_authority={FOLDER / 'authority'}", "-e", f"lab_folder={FOLDER}")
    site.play("site.yml", *inventory, repo=before).succeeded()
    old = site.release(device)
    site.compose("cloud", "cloud", "stop", "processor")
    stored = site.faces(device)
    deadline = time.monotonic() + 120
    while site.held(device) < 3:
        assert time.monotonic() < deadline, "no backlog"
        time.sleep(1)
    held = site.held(device)
    site.play("site.yml").succeeded()  # starts the processor, too
    assert site.release(device) != old or before_is_the_same(before)
    site.await_faces(device, more_than=stored + held - 1)
    assert site.keys("dead-letter/") == []


def _checkout(commit: str, tmp_path: Path) -> Path:
    """Return a work tree of another commit, with this one's tools."""
    folder = tmp_path / "before"
    subprocess.run(["git", "clone", "--quiet", str(REPO), str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", commit], check=True)
    if not (folder / "inventory/lab").exists():
        pytest.skip(f"{commit} cannot deploy to test hosts: it has no inventory/lab")
    (folder / ".venv").symlink_to(REPO / ".venv")
    return folder


def before_is_the_same(before: Path) -> bool:
    """Tell whether what is deployed did not change between the commits."""
    deployed = ("compose", "services", "roles/edge")
    return not any(
        subprocess.run(
            ["diff", "-rq", str(before / part), str(REPO / part)], check=False, capture_output=True
        ).returncode
        for part in deployed
    )


# --- a device is lost ---


@pytest.mark.full
def test_a_device_that_does_not_answer_stops_nobody(site: Site) -> None:
    first, second, third = site.devices
    site.lab[first].unplug()
    try:
        played = site.play("playbooks/edge.yml", "-e", "edge_window=450")
        assert played.code != 0
        assert played.count("unreachable")[first] == 1
        releases = {device: site.release(device) for device in (second, third)}
    finally:
        site.lab[first].plug()
    assert len(set(releases.values())) == 2  # each has its own name in it
    assert site.play("playbooks/edge.yml", "-e", "edge_window=450").succeeded().changed.keys() == {first}
    assert site.play("site.yml").succeeded().changed.keys() == set(site.devices)


@pytest.mark.full
def test_a_device_that_is_unplugged_in_the_middle_stops_nobody(site: Site) -> None:
    first, *others = site.devices
    before = {device: site.release(device) for device in site.devices}

    def pull_the_plug() -> None:
        deadline = time.monotonic() + 120
        placed = f"ls /opt/facefleet/edge/releases | grep -v {before[first]} | wc -l"
        known = site.lab[first].run("sh", "-c", placed)
        while site.lab[first].run("sh", "-c", placed) == known and time.monotonic() < deadline:
            time.sleep(0.2)
        site.lab[first].unplug()

    with ThreadPoolExecutor(1) as hand:
        pulled = hand.submit(pull_the_plug)
        played = site.play("playbooks/edge.yml", "-e", "edge_window=350")
    pulled.result()
    try:
        assert played.code != 0
        assert played.count("unreachable")[first] == 1
        for device in others:
            assert site.release(device) != before[device], played.output[-6000:]
    finally:
        site.lab[first].plug()
    site.play("playbooks/edge.yml", "-e", "edge_window=350").succeeded()
    assert site.release(first) != before[first]
    site.play("site.yml").succeeded()


def test_a_revoked_device_is_out_at_once_and_the_others_go_on(site: Site, tmp_path: Path) -> None:
    lost, other = site.devices[2], site.devices[0]
    stolen = tmp_path / "stolen"
    stolen.mkdir()
    for name in ("host.crt", "host.key"):
        (stolen / name).write_text(site.ask(lost, "cat", f"/etc/facefleet/identity/{name}"))
    site.lab[lost].unplug()
    with refused.connected(site.lab["cloud"].address, CA, stolen) as thief:
        assert thief.publish(f"status/{lost}") in ("Success", "No matching subscribers")
        site.play("playbooks/revoke.yml", "-e", f"revoke_host={lost}", limit=["control", CLOUD]).succeeded()
        assert thief.gone.wait(15), "the thief's session lives on"
    assert lost not in site.roster()
    with pytest.raises(PermissionError), refused.connected(site.lab["cloud"].address, CA, stolen):
        pass
    site.lab[lost].plug()
    seen, others = site.faces(lost), site.faces(other)
    site.await_faces(other, more_than=others)
    assert site.faces(lost) == seen, "the revoked device still gets faces through"
    site.play("site.yml").failed(f"{lost} was revoked")
    site.play("playbooks/readmit.yml", "-e", f"readmit_host={lost}", limit=["control", CLOUD]).succeeded()
    site.play("site.yml").succeeded()
    site.await_faces(lost, more_than=seen)
    with pytest.raises(PermissionError), refused.connected(site.lab["cloud"].address, CA, stolen):
        pass


# --- the end ---


def test_teardown_asks_and_then_leaves_nothing(site: Site) -> None:
    site.play("playbooks/teardown.yml").failed("Nothing was removed")
    assert site.containers("cloud")
    site.play("playbooks/teardown.yml", "-e", "teardown_confirmed=true").succeeded()
    for host in site.lab.names:
        left = site.lab[host].run(
            "sh",
            "-c",
            "ls -d /opt/facefleet /etc/facefleet /var/lib/facefleet /var/lib/docker/* 2>/dev/null || true",
        )
        assert left == "", f"{host}: {left}"
        assert site.lab[host].reach() == [SSH]
    ec2 = site.account.session().client("ec2", endpoint_url=site.account.url)
    assert ec2.describe_addresses()["Addresses"] == []
    assert site.keys(), "the bucket was not named, so it stays"
