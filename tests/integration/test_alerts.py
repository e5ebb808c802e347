"""Each alert fires when its fault is there, and only then: Prometheus' tester judges what the watch shows.

The faults are those of the table, so the two cannot tell different things.
"""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient
from docker.errors import ContainerError
from facefleet.fleet.foundation import Foundation
from facefleet.fleet.roster import Roster, utc_now
from facefleet.fleet.verdict import SEVERITIES, problems, problems_below, worst
from facefleet.watch.figures import Figures
from facefleet.watch.post import Post
from prometheus_client import CollectorRegistry

from tests.images import NoImageError, newest_image
from tests.statuses import say
from tests.templates import CLOUD, defaults, rendered

GIB = 1 << 30
AT_MINUTES = 20
BROKEN, ATTENTION = {"broken", "attention"}, {"attention"}
"""What is broken fires the rule of both, where there are two."""
ONLY_BROKEN = {"broken"}

Expected = dict[str, set[str]]
FAULTS: dict[str, tuple[dict[str, Any], Expected]] = {
    "well": ({}, {}),
    "cut": ({"cloud": "mqtts://c unreachable: cut"}, {"NoWayToTheCloud": ONLY_BROKEN}),
    "blind": ({"lobby": {"camera": "it is not there"}}, {"CameraBlind": ONLY_BROKEN}),
    "no-detector": ({"lobby": {"state": "offline"}}, {"CameraBlind": ONLY_BROKEN}),
    "paused": ({"lobby": {"camera": "paused"}}, {}),
    "late": ({"held": 9, "oldest_s": 901}, {"BacklogOld": ATTENTION}),
    "very-late": ({"held": 9, "oldest_s": 21_601}, {"BacklogOld": BROKEN}),
    "not-late": ({"held": 9, "oldest_s": 899}, {}),
    "filling": ({"spool_bytes": 860 << 20}, {"SpoolFilling": ATTENTION}),
    "full": ({"spool_bytes": 1000 << 20}, {"SpoolFilling": BROKEN}),
    "disk-filling": ({"host": {"disk_free": 5 * GIB}}, {"DiskFilling": ATTENTION}),
    "disk-full": ({"host": {"disk_free": 2 * GIB}}, {"DiskFilling": BROKEN}),
    "disk-free": ({"host": {"disk_free": 7 * GIB}}, {}),
    "no-memory": ({"host": {"memory_free": GIB // 4}}, {"MemoryLow": ATTENTION}),
    "hot": ({"host": {"temperature": 85}}, {"DeviceHot": ATTENTION}),
    "too-hot": ({"host": {"temperature": 96}}, {"DeviceHot": BROKEN}),
    "warm": ({"host": {"temperature": 84}}, {}),
    "clock": ({"clock": "unsynchronized"}, {"ClockWrong": ATTENTION}),
    "certificate": ({"certificate_ends": 29 * 86400}, {"CertificateEnds": ATTENTION}),
    "certificate-soon": ({"certificate_ends": 6 * 86400}, {"CertificateEnds": BROKEN}),
    "certificate-later": ({"certificate_ends": 31 * 86400}, {}),
    "no-receipt": ({"held": 9, "oldest_s": 700, "last_receipt": -1000}, {"NoReceipt": ONLY_BROKEN}),
    "receipts": ({"held": 9, "oldest_s": 700, "last_receipt": -500}, {}),
    "updated": ({"pull": {"state": "ok", "said": -80_000}}, {}),
    "not-updated": ({"pull": {"state": "failed", "wants": "2c3d", "said": 0}}, {"UpdateFailed": ONLY_BROKEN}),
    "not-looking": ({"pull": {"state": "ok", "said": -90_000}}, {"UpdatesSilent": ATTENTION}),
    "gone": ({}, {"DeviceSilent": ONLY_BROKEN}),
}
CAMERAS = {"CameraBlind"}
CLOUD_ALERTS = {"StoreRefusing", "ServiceDown", "WatchDeaf", "CloudCertificateEnds", "AuthorityEnds"}
"""Not of a device; these and GivingUp, which is about a change, have a test of their own below."""


TIMES = {"said": 0, "last_receipt": -10, "certificate_ends": 400 * 86400}
"""Of a status, in seconds from now."""


def status(changes: dict[str, Any], now: datetime) -> str:
    """Return a status of now, with a fault."""
    times = {name: now + timedelta(seconds=changes.get(name, usual)) for name, usual in TIMES.items()}
    said = changes | {name: time.isoformat() for name, time in times.items()}
    if pull := changes.get("pull"):
        said["pull"] = pull | {"said": (now + timedelta(seconds=pull["said"])).isoformat()}
    return say(**said)


@pytest.fixture(scope="module")
def promtool(engine: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> "Promtool":
    try:
        image = newest_image(engine, "prometheus")
    except NoImageError as error:
        pytest.skip(f"{error} -e cloud_metrics=true")
    return Promtool(engine, image, tmp_path_factory.mktemp("promtool"))


class Promtool:
    """Prometheus' own checker, in its container."""

    def __init__(self, engine: DockerClient, image: str, folder: Path) -> None:
        self._engine, self._image, self._folder = engine, image, folder
        folder.chmod(0o755)
        (folder / "alerts.yml").write_text(rendered(CLOUD / "alerts.yml.j2", **defaults("cloud")))
        (folder / "prometheus.yml").write_text(rendered(CLOUD / "prometheus.yml.j2", **defaults("cloud")))

    def run(self, *arguments: str) -> str:
        """Run it; what it complains of fails the test."""
        try:
            output: bytes = self._engine.containers.run(
                self._image,
                ["promtool", *arguments],
                volumes=[f"{self._folder}:/etc/prometheus:ro"],
                network_mode="none",
                read_only=True,
                tmpfs={"/tmp": "mode=1777"},
                remove=True,
                stderr=True,
            )
        except ContainerError as error:
            raise AssertionError(str(error)) from None
        return output.decode()

    def expect_firing(self, series: dict[str, str], firing: list[dict[str, str]]) -> None:
        """Let the rules judge series of one sample a minute: exactly these alerts must fire in the end."""
        samples = [{"labels": _labelled({"alertstate": "firing"} | alert), "value": 1} for alert in firing]
        test = {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{AT_MINUTES}m", "exp_samples": samples}
            ],
        }
        content = {"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": [test]}
        (self._folder / "test.yml").write_text(json.dumps(content))
        self.run("test", "rules", "/etc/prometheus/test.yml")


def _labelled(labels: dict[str, str]) -> str:
    return "ALERTS{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


def fleet_of_faults() -> tuple[Roster, datetime]:
    now = utc_now()
    roster = Roster()
    for name, (changes, _) in FAULTS.items():
        roster.hear(name, status(changes, now), now)
    roster.hear("gone", '{"state": "offline"}', now)
    return roster, now


def constant_series(roster: Roster, now: datetime) -> dict[str, str]:
    """Return what the watch shows, held for as long as the test; its clock begins with the tester's, at 0."""
    registry = CollectorRegistry()
    post = Post(roster, lambda: roster.foundation)
    post.turned(connected=True)
    Figures(post, registry)
    series = {}
    for family in registry.collect():
        for sample in family.samples:
            stamp = sample.name.endswith("_timestamp_seconds")
            value = sample.value - now.timestamp() + 60 * AT_MINUTES if stamp else sample.value
            labels = ", ".join(f"{name}={json.dumps(text)}" for name, text in sample.labels.items())
            series[f"{sample.name}{{{labels}}}"] = f"{value}x{AT_MINUTES}"
    return series


def test_each_fault_of_a_device_fires_its_alert_and_no_other(promtool: Promtool) -> None:
    roster, now = fleet_of_faults()
    firing = [
        {"alertname": alert, "device": name, "severity": severity}
        | ({"camera": "lobby"} if alert in CAMERAS else {})
        for name, (_, expected) in FAULTS.items()
        for alert, severities in expected.items()
        for severity in severities
    ]

    promtool.expect_firing(constant_series(roster, now), firing)


@pytest.mark.parametrize("name", FAULTS)
def test_the_table_finds_the_same_faults_as_bad(name: str) -> None:
    roster, now = fleet_of_faults()
    entry = roster.get(name)
    assert entry is not None
    _, expected = FAULTS[name]
    severities = [severity for found in expected.values() for severity in found]

    how_bad = worst([problem for problem in problems(entry, now) if problem.severity != "note"])

    assert how_bad == min(severities, key=SEVERITIES.index, default=None)


def test_giving_up_fires_for_a_device_and_for_a_camera(promtool: Promtool) -> None:
    before, after = f"7x{AT_MINUTES - 5}", "8x5"
    series = {
        'facefleet_device_given_up_total{device="a"}': f"{before} {after}",
        'facefleet_device_given_up_total{device="well"}': f"7x{AT_MINUTES}",
        'facefleet_device_camera_given_up_total{device="b", camera="lobby"}': f"{before} {after}",
    }
    common = {"alertname": "GivingUp", "severity": "broken"}

    promtool.expect_firing(series, [common | {"device": "a"}, common | {"device": "b", "camera": "lobby"}])


def test_the_cloud_side_has_its_alerts_and_a_deaf_watch_makes_no_device_silent(promtool: Promtool) -> None:
    on = f"1x{AT_MINUTES}"
    off = f"0x{AT_MINUTES}"
    retries = f"0+5x{AT_MINUTES}"
    series = {
        'up{job="processor", instance="p"}': off,
        'up{job="watch", instance="w"}': on,
        'facefleet_put_retries_total{job="processor", instance="refused"}': retries,
        'facefleet_messages_held{job="processor", instance="refused"}': on,
        'facefleet_put_retries_total{job="processor", instance="once"}': f"9x{AT_MINUTES}",
        'facefleet_messages_held{job="processor", instance="once"}': on,
        'facefleet_put_retries_total{job="processor", instance="through"}': retries,
        'facefleet_messages_held{job="processor", instance="through"}': off,
        'facefleet_watch_connected{job="watch", instance="w"}': off,
        'facefleet_device_online{device="a", job="watch", instance="w"}': off,
    }

    promtool.expect_firing(
        series,
        [
            {"alertname": "ServiceDown", "severity": "broken", "job": "processor", "instance": "p"},
            {"alertname": "StoreRefusing", "severity": "broken", "job": "processor", "instance": "refused"},
            {"alertname": "WatchDeaf", "severity": "broken", "job": "watch", "instance": "w"},
        ],
    )


ENDS = {
    (29, 181): ({"CloudCertificateEnds": ATTENTION}, {"cloud host"}),
    (6, 179): (
        {"CloudCertificateEnds": BROKEN, "AuthorityEnds": ATTENTION},
        {"cloud host", "authority"},
    ),
    (31, 59): ({"AuthorityEnds": BROKEN}, {"authority"}),
    (31, 181): ({}, set[str]()),
}


@pytest.mark.parametrize(("cloud", "authority"), ENDS)
def test_what_all_devices_stand_on_is_told_before_it_ends(
    promtool: Promtool, cloud: int, authority: int
) -> None:
    now = utc_now()
    foundation = Foundation(now + timedelta(days=cloud), now + timedelta(days=authority))
    expected, in_table = ENDS[cloud, authority]
    firing = [
        {"alertname": alert, "severity": severity}
        for alert, severities in expected.items()
        for severity in severities
    ]

    promtool.expect_firing(constant_series(Roster(foundation=foundation), now), firing)

    below = problems_below(foundation, now)
    assert {name for name, found in below.items() if found} == in_table


def test_no_alert_is_without_a_test(promtool: Promtool) -> None:
    rules = rendered(CLOUD / "alerts.yml.j2", **defaults("cloud"))
    tested = {alert for _, expected in FAULTS.values() for alert in expected} | CLOUD_ALERTS | {"GivingUp"}

    assert set(re.findall(r"- alert: (\w+)", rules)) == tested
    assert "valid prometheus config" in promtool.run("check", "config", "/etc/prometheus/prometheus.yml")
