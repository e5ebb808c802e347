"""A site whose certificates playbooks/rotate.yml renews: its hosts are folders, what reads them is real."""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Outcome

from tests.integration.containers import MOSQUITTO_CONF, TLS_CONF
from tests.integration.edge_site import Camera
from tests.integration.waiting import await_until, free_port

REPO = Path(__file__).resolve().parents[2]
CLOUD = "hub"


class RotatingSite:
    """The cloud host and devices, each with an identity of its own, and a control host that signs."""

    def __init__(self, folder: Path, image: str, python_image: str, devices: tuple[str, ...]) -> None:
        """`python_image` has what a watch needs beside its source."""
        self.devices = devices
        self.authority = folder / "site/authority"
        self.tls_port, self.port = free_port(), free_port()
        self._folder = folder
        self._image, self._python_image = image, python_image
        self._project = f"facefleet-test-rotation-{os.getpid()}-{secrets.token_hex(3)}"
        self._home = folder / "stack/cloud"
        inventory = {
            "all": {
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                    "identity_authority": str(self.authority),
                    "identity_passphrase_file": str(folder / "passphrase"),
                    "identity_folder": f"{folder}/hosts/{{{{ inventory_hostname }}}}",
                    "stack_root": str(folder / "stack"),
                },
                "children": {
                    "cloud": {"hosts": {CLOUD: {"identity_names": ["127.0.0.1"]}}},
                    "edge": {"hosts": dict.fromkeys(devices)},
                },
            }
        }
        (folder / "site").mkdir()
        (folder / "site/hosts.yml").write_text(yaml.safe_dump(inventory))

    @property
    def url(self) -> str:
        return f"mqtts://127.0.0.1:{self.tls_port}"

    @property
    def plain_url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def identity(self, host: str) -> Path:
        return self._folder / "hosts" / host

    def rotate(self, *arguments: str, reaching: tuple[str, ...] | None = None) -> str:
        """Run the playbook for the cloud host and those devices that can be reached; return what it said."""
        limit = ",".join((CLOUD, *(self.devices if reaching is None else reaching)))
        playbook, inventory = str(REPO / ".venv/bin/ansible-playbook"), str(self._folder / "site")
        done = subprocess.run(
            [playbook, "-i", inventory, "playbooks/rotate.yml", "--limit", limit, *arguments],
            cwd=REPO,
            env={**os.environ, "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.memory"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:]
        return " ".join(done.stdout.split())

    def start(self) -> None:
        """Run the cloud broker and the watch where the roles look for them; the watch is our own source."""
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(MOSQUITTO_CONF + TLS_CONF)
        configuration.chmod(0o444)
        service = {
            "image": self._image,
            "init": True,
            "user": "10001:10001",
            "read_only": True,
            "tmpfs": ["/var/lib/facefleet:uid=10001"],
            "volumes": [
                f"{configuration}:/etc/mosquitto/mosquitto.conf:ro",
                f"{self.identity(CLOUD)}:/run/identity:ro",
                f"{self._home}/access:/run/access:ro",
            ],
            "ports": [f"127.0.0.1:{self.port}:1883", f"127.0.0.1:{self.tls_port}:8883"],
        }
        watch = {
            "image": self._python_image,
            "init": True,
            "command": ["python3", "-m", "facefleet.watch"],
            "tmpfs": ["/run/facefleet:uid=10001", "/var/lib/facefleet:uid=10001"],
            "environment": {"FACEFLEET_BROKER": "mqtt://broker:1883", "PYTHONDONTWRITEBYTECODE": "1"},
            "volumes": [
                f"{REPO}/services/facefleet:/opt/facefleet/facefleet:ro",
                f"{self.identity(CLOUD)}:/run/identity:ro",
            ],
        }
        stack = {"name": self._project, "services": {"broker": service, "watch": watch}}
        (self._home / "compose.yaml").write_text(yaml.safe_dump(stack))
        (self._home / "current").symlink_to(self._home)
        self._compose("up", "--detach", "--wait")

    def remove(self) -> None:
        if (self._home / "compose.yaml").exists():
            self._compose("down", "--volumes", "--timeout", "2")

    def roster(self) -> dict[str, Any]:
        """Return what the watch knows."""
        url = "http://127.0.0.1:9465/fleet.json"
        said = self._compose("exec", "-T", "watch", "python3", "-m", "facefleet.fleet", url, "--json")
        found: dict[str, Any] = json.loads(said)
        return found

    def started_at(self) -> str:
        """Return since when the broker runs: it must not be restarted."""
        container = self._compose("ps", "--quiet", "broker").strip()
        return subprocess.run(
            ["docker", "inspect", "--format", "{{.State.StartedAt}}", container],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def certificate(self, host: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.identity(host) / "host.crt").read_bytes())

    def issuer(self, host: str) -> str:
        return self.certificate(host).issuer.rfc4514_string()

    def trusted(self, host: str) -> int:
        """Return how many authorities a host trusts."""
        return (self.identity(host) / "ca.crt").read_text().count("BEGIN CERTIFICATE")

    def record(self, host: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.authority / f"issued/{host}.json").read_text())
        return found

    def _compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", "--project-directory", self._home, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


class Load:
    """A camera that publishes until it is told that it is enough, and counts what it captured."""

    def __init__(self, camera: Camera, make_event: Callable[[], FaceEvent], every_s: float) -> None:
        self.captured: set[str] = set()
        self._camera, self._make_event, self._every_s = camera, make_event, every_s
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        await_until(self._one, 15, "the forwarder has subscribed")
        self._thread.start()

    def stop(self) -> int:
        self._enough.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        return len(self.captured)

    def _one(self) -> bool:
        event = self._make_event()
        taken = self._camera.publish(event) == [Outcome.ACCEPTED]
        if taken:
            self.captured.add(event.id)
        return taken

    def _run(self) -> None:
        while not self._enough.wait(self._every_s):
            self._one()
