"""From the fleet's own registry: by digest, with a certificate of the fleet, and nobody but us can push."""

import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.depot import Depot

BY_REGISTRY = ("-e", "deliver_transport=registry")
PULL, PUSH = 5000, 5001
REPOSITORIES = "/var/lib/facefleet/registry/docker/registry/v2/repositories/facefleet"
BEGIN_A_PUSH = """
import ssl, sys, urllib.request
folder = "/etc/facefleet/identity/"
context = ssl.create_default_context(cafile=folder + "ca.crt")
context.load_cert_chain(folder + "host.crt", folder + "host.key")
url = f"https://{sys.argv[1]}/v2/facefleet/forged/blobs/uploads/"
urllib.request.urlopen(urllib.request.Request(url, method="POST", data=b""), context=context)
"""
OTHER = 5002
OTHER_SETTINGS = f"""\
version: 0.1
storage: {{filesystem: {{rootdirectory: /srv/other/images}}}}
auth: {{htpasswd: {{realm: other, path: /srv/other/users}}}}
http:
  addr: 0.0.0.0:{OTHER}
  tls: {{certificate: /etc/facefleet/identity/host.crt, key: /etc/facefleet/identity/host.key}}
"""
# The password is "right".
OTHER_USERS = "fleet:$2b$05$abcdefghijklmnopqrstuu8xaCxxL82bnl.UY74PMksDxIJShppPC"

pytestmark = pytest.mark.timeout(1200)


def here(*command: str) -> str:
    """Run a command on this machine, the control host."""
    return subprocess.check_output(command, text=True)


@pytest.fixture(scope="module")
def filled(depot: Depot) -> Depot:
    """The depot once the images are in the registry."""
    depot.play("playbooks/images.yml", *BY_REGISTRY).succeeded()
    return depot


@pytest.fixture
def device(filled: Depot) -> Iterator[Depot]:
    """The same, with a device that has no image at all."""
    filled.empty("jetson-01")
    yield filled
    filled.empty("jetson-01")


def test_what_was_pushed_is_not_pushed_again(filled: Depot) -> None:
    assert (
        filled.play("playbooks/registry.yml", "playbooks/images.yml", *BY_REGISTRY).succeeded().changed == {}
    )


def test_the_device_pulls_by_digest_what_was_built(device: Depot) -> None:
    device.deliver(*BY_REGISTRY).succeeded()
    assert device.on("jetson-01") == device.wanted()
    everything = device.lab["jetson-01"].run("docker", "images", "--format", "{{.Repository}}@{{.Digest}}")
    assert str(PULL) not in everything, "the registry's names would keep old images"
    assert device.deliver(*BY_REGISTRY).succeeded().changed == {}


def test_a_tag_that_was_moved_changes_nothing(device: Depot) -> None:
    device.deliver("--check", *BY_REGISTRY).succeeded()
    names = {ref.split("/")[1].split(":")[0]: ref.split(":")[1] for ref in device.wanted()}
    tags = f"{REPOSITORIES}/logger/_manifests/tags/{names['logger']}"
    cloud = device.lab["cloud"]
    true = cloud.run("cat", f"{tags}/current/link")
    forged = "sha256:" + "0" * 64
    try:
        cloud.run("sh", "-c", f"printf {forged} > {tags}/current/link")
        device.deliver(*BY_REGISTRY).succeeded()
        assert device.on("jetson-01") == device.wanted()
    finally:
        cloud.run("sh", "-c", f"printf {true} > {tags}/current/link")


@pytest.mark.parametrize("port", [PULL, PUSH])
def test_who_has_no_certificate_is_refused(filled: Depot, port: int) -> None:
    context = ssl.create_default_context(cafile=str(filled.folder / "authority/ca.crt"))
    url = f"https://{filled.lab['cloud'].address}:{port}/v2/_catalog"
    with pytest.raises((OSError, ssl.SSLError), match="certificate required"):
        urllib.request.urlopen(url, timeout=10, context=context)


def test_a_device_without_its_certificate_cannot_pull(device: Depot) -> None:
    device.deliver(*BY_REGISTRY).succeeded()
    host = device.lab["jetson-01"]
    trusted = f"/etc/docker/certs.d/{device.lab['cloud'].address}:{PULL}"
    assert host.run("ls", trusted).split() == ["ca.crt", "client.cert", "client.key"]
    host.run("mv", f"{trusted}/client.cert", f"{trusted}/client.key", "/root")
    try:
        ref = next(iter(device.wanted()))
        said = host.run("docker", "pull", f"{device.lab['cloud'].address}:{PULL}/{ref}", check=False)
        assert "certificate required" in said or "bad certificate" in said, said
    finally:
        host.run("sh", "-c", f"mv /root/client.* {trusted}")


@pytest.mark.parametrize(("port", "refusal"), [(PULL, "HTTP Error 405"), (PUSH, "SSLError")])
def test_a_device_cannot_push(filled: Depot, port: int, refusal: str) -> None:
    address = filled.lab["cloud"].address
    said = filled.lab["jetson-01"].run("python3", "-c", BEGIN_A_PUSH, f"{address}:{port}", check=False)
    assert refusal in said, said


@pytest.mark.full
def test_certificates_are_renewed_and_the_device_pulls_on(device: Depot) -> None:
    cloud, identity = device.lab["cloud"], "/etc/facefleet/identity"
    files = f"-cert {identity}/host.crt -key {identity}/host.key -CAfile {identity}/ca.crt"

    def serials() -> list[str]:
        read = "openssl x509 -noout -serial"
        shown = (
            f"openssl s_client -connect 127.0.0.1:{port} {files} </dev/null 2>/dev/null | {read}"
            for port in (PULL, PUSH)
        )
        return [cloud.run("sh", "-c", each) for each in (f"{read} -in {identity}/host.crt", *shown)]

    before = set(serials())
    device.play("playbooks/rotate.yml", "-e", "rotate_all=true", *BY_REGISTRY).succeeded()
    after = set(serials())
    assert len(before) == len(after) == 1
    assert before != after
    device.deliver(*BY_REGISTRY).succeeded()
    assert device.on("jetson-01") == device.wanted()


def test_an_image_that_was_not_pushed_is_named(device: Depot) -> None:
    device.edit("logger")
    device.play("playbooks/images.yml").succeeded()
    device.deliver(*BY_REGISTRY).failed("has no facefleet/logger:", "run playbooks/images.yml")
    device.play("playbooks/images.yml", *BY_REGISTRY).succeeded()
    device.deliver(*BY_REGISTRY).succeeded()


@pytest.fixture
def other(filled: Depot) -> Iterator[str]:
    """A registry of somebody else: with a certificate and a password."""
    cloud, device = filled.lab["cloud"], filled.lab["jetson-01"]
    place = f"{cloud.address}:{OTHER}"
    trusted = Path("/etc/docker/certs.d") / place
    cloud.run("mkdir", "-p", "/srv/other")
    for name, content in (("settings.yml", OTHER_SETTINGS), ("users", OTHER_USERS)):
        cloud.run("sh", "-c", f"cat > /srv/other/{name} <<'END'\n{content}\nEND")
    cloud.run("systemd-run", "--unit=other", "docker-registry", "serve", "/srv/other/settings.yml")
    for run in (device.run, here):
        run("mkdir", "-p", str(trusted))
    authority = (filled.folder / "authority/ca.crt").read_text()
    (trusted / "ca.crt").write_text(authority)
    device.run("cp", "/etc/facefleet/identity/ca.crt", str(trusted))
    yield place
    cloud.run("systemctl", "stop", "other")
    shutil.rmtree(trusted)
    for image in here(
        "docker", "images", "--format", "{{.Repository}}:{{.Tag}}", f"{place}/cameras/*/*"
    ).split():
        here("docker", "image", "rm", image)


@pytest.mark.full
def test_another_registry_with_a_login(device: Depot, other: str) -> None:
    there = ("deliver_transport=registry", f"deliver_registry={other}/cameras", "deliver_registry_user=fleet")
    options = [part for setting in there for part in ("-e", setting)]
    right, wrong = ["-e", "deliver_registry_password=right"], ["-e", "deliver_registry_password=wrong"]
    refused = device.play("playbooks/images.yml", *options, *wrong).failed("401 Unauthorized")
    assert "wrong" not in refused.output

    device.play("playbooks/images.yml", *options, *right).succeeded()
    assert device.play("playbooks/images.yml", *options, *right).succeeded().changed == {}
    device.deliver(*options, *right).succeeded()
    assert device.on("jetson-01") == device.wanted()
    for run in (device.lab["jetson-01"].run, here):
        assert "No such file" in run("sh", "-c", "ls /var/cache/facefleet/delivery 2>&1 || true")
        assert "fleet" not in run("sh", "-c", "cat ~/.docker/config.json 2>/dev/null || true")


@pytest.mark.full
def test_what_no_host_keeps_is_collected(device: Depot) -> None:
    device.deliver(*BY_REGISTRY).succeeded()
    (old,) = (ref for ref in device.wanted() if "/logger:" in ref)
    device.edit("logger")
    device.play("playbooks/images.yml", *BY_REGISTRY).succeeded()
    tags = f"{REPOSITORIES}/logger/_manifests/tags"

    device.play("playbooks/collect.yml").succeeded()
    assert old.split(":")[1] in device.lab["cloud"].run("ls", tags), "the device still has it"

    device.deliver(*BY_REGISTRY).succeeded()
    device.lab["jetson-01"].run("docker", "image", "rm", old)
    assert "would" not in device.play("playbooks/collect.yml").succeeded().output
    left = device.lab["cloud"].run("ls", tags).split()
    assert left == [ref.split(":")[1] for ref in device.wanted() if "/logger:" in ref]
    assert device.play("playbooks/collect.yml").succeeded().changed == {}
    device.empty("jetson-01")
    device.deliver(*BY_REGISTRY).succeeded()
