"""A site without internet: a bare control host is installed from a bundle, and the site from there.

The tests of this file tell one story; what the operator types is what docs/far-sites.md says.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.hosts.lab import FOLDER
from tests.fleet.sealed import HOME, SealedSite, sealed, size_of
from tests.fleet.site import CLIP, Played, run_playbooks

pytestmark = [pytest.mark.full, pytest.mark.timeout(2400)]

DEVICE = "jetson-01"
RELEASES = {"office": "trixie", "cloud": "bookworm", DEVICE: "trixie"}
MADE_FOR = {
    "bundle_distributions": ["debian-12", "debian-13"],
    "bundle_platforms": ["amd64"],
    "bundle_level": 1,
}
CHECK = "openssl dgst -sha256 -verify signer.pub -signature install.sig install"
HOSTS = """\
control:
  hosts:
    localhost: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
cloud: {hosts: {vault: }}
edge: {hosts: {jetson-01: }}
"""


@pytest.fixture(scope="module")
def workshop() -> Path:
    """An inventory of the site where there is internet, with an authority of its own."""
    folder = FOLDER / "workshop"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "hosts.yml").write_text(HOSTS)
    return folder


def make(workshop: Path, target: Path) -> Played:
    told = MADE_FOR | {
        "bundle_folder": str(target),
        "identity_passphrase_file": str(workshop / "passphrase"),
    }
    return run_playbooks(
        "-i", str(workshop), "playbooks/bundle.yml", "-e", json.dumps(told), environment={}
    ).succeeded()


@pytest.fixture(scope="module")
def bundle(workshop: Path) -> Path:
    shutil.rmtree(FOLDER / "bundles", ignore_errors=True)
    played = make(workshop, FOLDER / "bundles")
    made: Path = next((FOLDER / "bundles").glob("*.bundle"))
    sys.stderr.write(f"\nthe bundle: {size_of(made)}, made in {played.seconds:.0f} s\n")
    with tarfile.open(made) as archive:
        sizes: dict[str, int] = {}
        for entry in archive:
            kind = "/".join(entry.name.split("/")[: 2 if entry.name.startswith("packages/") else 1])
            sizes[kind] = sizes.get(kind, 0) + entry.size
    sys.stderr.write("".join(f"  {kind:28} {size / 1e6:8.1f} MB\n" for kind, size in sizes.items()))
    return made


def test_a_second_run_makes_the_same_bundle_and_changes_nothing(bundle: Path, workshop: Path) -> None:
    before = (digest(bundle), bundle.stat().st_mtime_ns)
    assert make(workshop, bundle.parent).changed == {}
    assert (digest(bundle), bundle.stat().st_mtime_ns) == before
    again = make(workshop, bundle.parent / "again")
    assert again.changed
    assert digest(bundle.parent / "again" / bundle.name) == before[0]
    shutil.rmtree(bundle.parent / "again")


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@pytest.fixture(scope="module")
def site(bundle: Path) -> Iterator[SealedSite]:
    if not CLIP.exists():
        pytest.skip(f"{CLIP} is not there: `make fleet` fetches it")
    with sealed(DEVICE, releases=RELEASES) as site:
        site.office.copy(bundle, f"{HOME}/site.bundle")
        site.office.copy(bundle.parent / "signer.pub", f"{HOME}/signer.pub")
        site.lab[DEVICE].run("mkdir", "-p", "/srv/videos")
        site.lab[DEVICE].copy(CLIP, "/srv/videos/lobby.mp4")
        yield site


def test_nothing_gets_out_and_what_tries_is_counted(site: SealedSite) -> None:
    before = site.tried()
    for host in site.lab.names:
        assert not site.leaves(host, "192.0.2.1")
    assert all(count > before[host] for host, count in site.tried().items())
    site.count_anew()


def nothing_was_installed(site: SealedSite) -> None:
    listed = site.office.run("ls", "-A", HOME).split()
    assert not {"facefleet", "facefleet.coming"} & set(listed), listed
    assert "docker" not in site.office.run("ls", "/usr/bin")


def install(site: SealedSite, bundle: str, key: str = "signer.pub") -> str:
    """Do what the documentation says, and return what was said; it must be refused."""
    said = site.at_office(
        f"tar -xf {bundle} --occurrence install install.sig && {CHECK.replace('signer.pub', key)} "
        f"&& python3 install {bundle}"
    )
    assert said.code != 0
    nothing_was_installed(site)
    return said.output


def test_another_key_is_refused(site: SealedSite, tmp_path: Path) -> None:
    key = tmp_path / "other.pub"
    made = subprocess.run(
        "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout", shell=True,
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    key.write_text(made.stdout)
    site.office.copy(key, f"{HOME}/other.pub")
    assert "Verification failure" in install(site, "site.bundle", "other.pub")


def test_an_installer_that_was_changed_is_refused(site: SealedSite) -> None:
    site.at_office(
        "cp site.bundle bad.bundle && printf X | dd of=bad.bundle bs=1 seek=700 conv=notrunc"
    ).succeeded()
    assert "Verification failure" in install(site, "bad.bundle")


def test_a_part_that_was_changed_is_refused_by_its_name(site: SealedSite, bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        entry = archive.getmember("images/amd64.tar.gz")
    where = entry.offset_data + entry.size // 2
    site.at_office(
        "cp site.bundle bad.bundle && "
        f"printf 'tampered with' | dd of=bad.bundle bs=1 seek={where} conv=notrunc"
    ).succeeded()
    assert "the part images/amd64.tar.gz of bad.bundle is not what was signed" in install(site, "bad.bundle")


def test_a_bundle_that_was_cut_off_is_refused_by_its_part(site: SealedSite, bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        entry = archive.getmember("images/amd64.tar.gz")
    site.at_office(
        f"cp site.bundle bad.bundle && truncate -s {entry.offset_data + 4096} bad.bundle"
    ).succeeded()
    assert "bad.bundle is cut off in its part images/amd64.tar.gz" in install(site, "bad.bundle")
    site.at_office("rm bad.bundle")


def test_the_control_host_is_installed(site: SealedSite) -> None:
    said = site.at_office(
        f"tar -xf site.bundle --occurrence install install.sig && {CHECK} && python3 install site.bundle"
    ).succeeded()
    assert "Verified OK" in said.output
    assert "ansible-playbook -i inventory/mysite site.yml" in said.output
    sys.stderr.write(f"control host installed in {said.seconds:.0f} s\n")


def test_installing_again_changes_nothing(site: SealedSite) -> None:
    said = site.at_office("python3 install site.bundle").succeeded()
    assert "0 files changed" in said.output
    assert "changed=0" in said.output


def play(site: SealedSite, playbook: str) -> str:
    said = site.at_office(
        f"cd facefleet && PATH=$PWD/.venv/bin:$PATH ansible-playbook -i inventory/mysite {playbook}"
    ).succeeded()
    return said.output


def test_the_site_is_deployed_and_faces_arrive(site: SealedSite) -> None:
    site.describe(f"{HOME}/facefleet/inventory/mysite")
    play(site, "site.yml")
    assert "facefleet/base" not in site.office.run("docker", "image", "ls"), "something was built"
    play(site, f"playbooks/operator.yml -e operator_key_file={HOME}/operator.ini")
    tunnel = (
        "ssh -f -N -i .ssh/operator -o ExitOnForwardFailure=yes -L 127.0.0.1:8333:127.0.0.1:8333 "
        f"operator@{site.lab['cloud'].address} > /dev/null 2>&1"
    )
    sheet = (
        "facefleet/.venv/bin/python -m facefleet.sheet --endpoint http://127.0.0.1:8333 --bucket facefleet "
        "--credentials operator.ini --wait-for 1 --timeout 120 --list"
    )
    said = site.at_office(f"{tunnel}; {sheet}").succeeded()
    assert f"faces/{DEVICE}/lobby/" in said.output


def test_a_second_run_changes_nothing(site: SealedSite) -> None:
    changed = [line for line in play(site, "site.yml").splitlines() if "changed=" in line]
    assert changed
    assert all("changed=0" in line for line in changed), changed


def test_nothing_of_the_bundle_is_left_where_it_was_only_brought(site: SealedSite) -> None:
    for host in ("cloud", DEVICE):
        assert site.lab[host].run("ls", "-A", "/var/cache/facefleet", check=False).split() == []
        assert "facefleet" not in site.lab[host].run("sh", "-c", "ls -R /etc/apt /var/lib/apt/lists")


def test_no_packet_tried_to_get_out(site: SealedSite) -> None:
    counts = site.tried()
    sys.stderr.write(f"\npackets that would have left, dropped: {counts}\n")
    assert set(counts.values()) == {0}
