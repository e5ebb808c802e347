"""The way of an alarm: a device's last will, the watch, Prometheus, Alertmanager, and whoever is told."""

import json
import socketserver
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.models.containers import Container

from tests.images import NoImageError, newest_image
from tests.integration.conftest import MakeBroker, MakeLink, MakeService
from tests.integration.services import Service
from tests.integration.waiting import await_until, free_port
from tests.statuses import say
from tests.templates import CLOUD, defaults, rendered

Run = Callable[..., Container]
OFFLINE = b'{"state": "offline"}'


@pytest.fixture
def run(engine: DockerClient) -> Iterator[Run]:
    """Start an image's program on the loopback of this machine, where the watch and the test are."""
    made: list[Container] = []

    def start(name: str, folder: Path, *options: str) -> Container:
        try:
            image = newest_image(engine, name)
        except NoImageError as error:
            pytest.skip(f"{error} -e cloud_metrics=true")
        command = engine.images.get(image).attrs["Config"]["Cmd"]
        container = engine.containers.create(
            image,
            [*command, *options],
            volumes=["/var/lib/facefleet", f"{folder}:/etc/prometheus:ro"],
            network_mode="host",
            read_only=True,
            tmpfs={"/tmp": "size=16m,mode=1777"},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit="512m",
        )
        made.append(container)
        container.start()
        return container

    yield start
    for container in made:
        container.remove(force=True, v=True)


class Told(socketserver.ThreadingTCPServer):
    """Takes Alertmanager's webhooks."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int) -> None:
        alerts: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                alerts.extend(json.loads(body)["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                del format, args

        super().__init__(("127.0.0.1", port), Handler)
        self.alerts = alerts
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def told() -> Iterator[Told]:
    server = Told(free_port())
    yield server
    server.shutdown()
    server.server_close()


class Prometheus:
    """One that asks the watch every second, with the rules that we ship."""

    def __init__(self, run: Run, folder: Path, watch: Service, alertmanager: int) -> None:
        self.port = free_port()
        values = defaults("cloud") | {"cloud_metrics_every_s": 1, "cloud_alert_after_s": 0}
        config = rendered(CLOUD / "prometheus.yml.j2", **values)
        config = config.replace("cloud-watch:9464", f"127.0.0.1:{watch._metrics}")
        config = config.replace("cloud-alertmanager:9093", f"127.0.0.1:{alertmanager}")
        (folder / "prometheus.yml").write_text(config)
        (folder / "alerts.yml").write_text(rendered(CLOUD / "alerts.yml.j2", **values))
        self.container = run("prometheus", folder, f"--web.listen-address=127.0.0.1:{self.port}")

    def value(self, query: str) -> float | None:
        """Return the value of an expression that has one, or None."""
        result = self._get("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def knows_whom_to_tell(self) -> bool:
        """Return whether it has found Alertmanager, which it looks for five seconds after its start."""
        return bool(self._get("alertmanagers")["activeAlertmanagers"])

    def rule_errors(self) -> list[str]:
        groups = self._get("rules")["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["data"]


def start_alertmanager(run: Run, folder: Path, told: Told) -> int:
    """Start one that tells the webhook at once; return its port."""
    port = free_port()
    secrets = folder / "alert_webhook"
    secrets.write_text(f"http://127.0.0.1:{told.server_address[1]}/")
    config = rendered(CLOUD / "alertmanager.yml.j2", **defaults("cloud") | {"cloud_alert_webhook": "given"})
    config = config.replace("/run/secrets/alert_webhook", "/etc/prometheus/alert_webhook")
    (folder / "alertmanager.yml").write_text(config.replace("group_wait: 30s", "group_wait: 0s"))
    run("alertmanager", folder, f"--web.listen-address=127.0.0.1:{port}")
    # What Prometheus cannot deliver at once it sends again a minute later.
    await_until(answered(lambda: ready(port)), 30, "Alertmanager is ready")
    return port


def ready(port: int) -> bool:
    """Return whether it takes alerts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
        return bool(answer.status == 200)


def answered(ask: Callable[[], Any]) -> Callable[[], Any]:
    """Take no answer for an answer that is not there yet."""

    def asked() -> Any:
        try:
            return ask()
        except OSError:
            return None

    return asked


def test_a_last_will_reaches_whoever_is_told(  # noqa: PLR0917 - each is a fixture
    make_broker: MakeBroker,
    device: str,
    make_link: MakeLink,
    make_service: MakeService,
    run: Run,
    told: Told,
    tmp_path: Path,
) -> None:
    # Its own broker: a second device of the same alert is told with the next word only, minutes later.
    broker = make_broker()
    broker.start()
    settings = {"FACEFLEET_BROKER": broker.url, "FACEFLEET_ROSTER_FILE": str(tmp_path / "roster.json")}
    watch = make_service("watch", settings | {"FACEFLEET_FLEET_PORT": "0"})
    tmp_path.chmod(0o755)
    alertmanager = start_alertmanager(run, tmp_path, told)
    prometheus = Prometheus(run, tmp_path, watch, alertmanager)
    # An alert before that is told to nobody, and sent again a minute later.
    await_until(answered(prometheus.knows_whom_to_tell), 30, "Prometheus has found Alertmanager")
    link = make_link(broker.port)
    await_until(lambda: link.connected, 10, "connected")
    online = f'facefleet_device_online{{device="{device}"}}'
    firing = f'ALERTS{{alertname="DeviceSilent", device="{device}", alertstate="firing"}}'

    link.publish(f"status/{device}", say(said=time.strftime("%Y-%m-%dT%H:%M:%SZ")).encode(), retain=True)
    await_until(answered(lambda: prometheus.value(online) == 1), 20, "it is online")
    assert prometheus.value(firing) is None

    link.publish(f"status/{device}", OFFLINE, retain=True)
    await_until(lambda: prometheus.value(firing) == 1, 10, "it fires")
    told_of = await_until(
        lambda: [alert for alert in told.alerts if alert["labels"].get("device") == device], 30, "it is told"
    )
    link.publish(f"status/{device}", b"", retain=True)

    assert told_of[0]["labels"]["alertname"] == "DeviceSilent"
    assert told_of[0]["annotations"]["summary"] == f"{device} is not online"
    assert "power and network" in told_of[0]["annotations"]["remedy"]
    assert prometheus.rule_errors() == []
