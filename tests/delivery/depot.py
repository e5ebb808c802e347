"""A cloud host with a registry, a device, the sources of their images, and the operator who brings them."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.fleet.hosts import Lab
from tests.fleet.site import REPO, Played, Running, run_playbooks

IMAGES = ("broker", "logger", "forwarder")
"""What most tests bring; the detector is as large as all of them."""

_HERE = Path(__file__).parent


class Depot:
    """The hosts of a lab as an inventory, and a copy of the sources that a test may change."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.sources = folder / "services"
        self.archives = folder / "archives"
        self.facts = folder / "facts"
        shutil.rmtree(folder / "facts", ignore_errors=True)
        shutil.rmtree(self.sources, ignore_errors=True)
        shutil.copytree(REPO / "services", self.sources, ignore=shutil.ignore_patterns("__pycache__"))
        self._edited = False
        self._plain: set[str] = set()
        self._extra: set[str] = set()
        self._told = folder / "told.json"
        self._inventory = folder / "hosts.json"
        self._inventory.write_text(json.dumps(self._described(), indent=1))

    def _described(self) -> dict[str, object]:
        known = self.folder / "known_hosts"
        ssh = {
            "ansible_user": "operator",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.folder / "operator"),
            "ansible_ssh_common_args": f"-o IdentitiesOnly=yes -o UserKnownHostsFile={known}",
            "ansible_control_path_dir": str(self.folder / "ssh"),
        }
        hosts = {name: ssh | {"ansible_host": host.address} for name, host in self.lab.hosts.items()}
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        return {
            "control": {"hosts": {"laptop": here}},
            "cloud": {"hosts": {"cloud": hosts["cloud"]}},
            "registry": {"hosts": {"cloud": {}}},
            "edge": {"hosts": {name: hosts[name] for name in hosts if name != "cloud"}},
            "all": {
                "vars": {
                    "images_context": str(self.sources),
                    "deliver_archives": str(self.archives),
                    "depot_told": str(self._told),
                    "depot_images": IMAGES,
                    "identity_authority": str(self.folder / "authority"),
                    "identity_passphrase_file": str(self.folder / "authority.passphrase"),
                }
            },
        }

    def play(self, *arguments: str) -> Played:
        """Run playbooks of the project, or of this folder, and tell what it took."""
        played = run_playbooks(
            *("-i", str(self._inventory), *arguments),
            environment={"ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.facts)},
            timeout_s=900,
        )
        sys.stderr.write(f"\n{' '.join(arguments)}: {played.seconds:.0f} s, rc {played.code}\n")
        return played

    def deliver(self, *arguments: str) -> Played:
        """Bring images to the device: IMAGES, unless an argument says which."""
        played = self.play(str(_HERE / "deliver.yml"), *arguments)
        (self._extra if self._edited else self._plain).update(self.wanted())
        return played

    def begin(self, **settings: object) -> Running:
        """Begin to bring IMAGES to the device with other settings, over a link that is soon given up."""
        return Running(
            self.folder / "delivery.log",
            *("-i", str(self._inventory), str(_HERE / "deliver.yml"), "-e", json.dumps(settings)),
            environment={
                "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.facts),
                "ANSIBLE_SSH_ARGS": _SOON_GIVEN_UP,
            },
        )

    def tidy(self) -> None:
        """Remove the archives, as the end of a run does."""
        self.play(str(_HERE / "tidy.yml")).succeeded()

    def wanted(self) -> dict[str, str]:
        """Return what the last delivery was to bring: reference to id on this machine."""
        told: dict[str, str] = json.loads(self._told.read_text())
        return told

    def on(self, host: str) -> dict[str, str]:
        """Return what a host's engine has of ours: reference to id."""
        return _listing(self.lab[host].run("docker", "images", "--no-trunc", "--format", _FORMAT))

    def leave(self) -> None:
        """Take from this machine images of changed sources, and the registry's names and key."""
        registry = f"{self.lab['cloud'].address}:5001"
        asked = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", f"{registry}/facefleet/*"]
        named = subprocess.check_output(asked, text=True).split()
        for image in [*named, *(self._extra - self._plain)]:
            subprocess.run(["docker", "image", "rm", image], check=False, capture_output=True)
        shutil.rmtree(f"/etc/docker/certs.d/{registry}", ignore_errors=True)
        shutil.rmtree(self.archives, ignore_errors=True)

    def empty(self, host: str) -> None:
        """Take all images from a host's engine."""
        self.lab[host].run("docker", "image", "prune", "--all", "--force")

    def only_archive(self) -> Path:
        """Return the one archive that waits on this machine."""
        (archive,) = self.archives.glob("*.tar.gz")
        return archive

    def layers_of(self, ref: str) -> list[str]:
        """Return the layers of an image of this machine's engine."""
        inspected = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", ref]
        found: list[str] = json.loads(subprocess.check_output(inspected))
        return found

    def edit(self, service: str) -> None:
        """Change a line of a service."""
        self._edited = True
        with (self.sources / "facefleet" / service / "__init__.py").open("a") as file:
            file.write(f"# {time.time()}\n")

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a file of the sources."""
        self._edited = True
        path = self.sources / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


_SOON_GIVEN_UP = " ".join(
    f"-o {option}"
    for option in (
        *("ControlMaster=auto", "ControlPersist=60s", "ConnectTimeout=5"),
        *("ServerAliveInterval=1", "ServerAliveCountMax=3"),
    )
)
_FORMAT = "{{.Repository}}:{{.Tag}} {{.ID}}"


def _listing(lines: str) -> dict[str, str]:
    return {
        ref: identity for ref, identity in map(str.split, lines.splitlines()) if ref.startswith("facefleet/")
    }
