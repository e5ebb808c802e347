"""The alert rules have the table's numbers, and each says what to do. tests/integration sees them fire."""

import re
from typing import Any

import pytest
import yaml
from facefleet.fleet import thresholds

from tests.templates import CLOUD, defaults, rendered

SEVERITIES = {"broken", "attention"}
TEMPLATE = CLOUD / "alerts.yml.j2"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(rendered(TEMPLATE, **defaults("cloud")))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def named_numbers() -> dict[str, float]:
    found = re.findall(r"(?m)^\{% set (\w+) = ([\d.]+) %\}$", TEMPLATE.read_text())
    return {name: float(value) for name, value in found}


def test_each_number_is_that_of_the_table() -> None:
    numbers = named_numbers()

    assert numbers == {name: getattr(thresholds, name) for name in numbers}


def test_no_threshold_of_the_table_is_missing() -> None:
    # These two are in what the watch tells: whether a device is online.
    told = {name for name in vars(thresholds) if name.isupper()} - {"REPORT_EVERY_S", "SILENT_S"}

    assert told == set(named_numbers())
    for name in told:
        assert f"[% {name} %]" in TEMPLATE.read_text()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_each_rule_names_who_it_is_about_and_what_to_do(rule: dict[str, Any]) -> None:
    summary, remedy = rule["annotations"]["summary"], rule["annotations"]["remedy"]

    assert rule["labels"]["severity"] in SEVERITIES
    assert remedy.endswith(".")
    if rule["alert"] != "WatchDeaf":
        assert "$labels.device" in summary or "$labels.instance" in summary
    if "_camera_" in rule["expr"]:
        assert "$labels.camera" in summary


@pytest.mark.parametrize("count", [1, 3])
def test_every_processor_is_asked(count: int) -> None:
    values = defaults("cloud") | {"cloud_processors": count}
    config = yaml.safe_load(rendered(CLOUD / "prometheus.yml.j2", **values))

    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}

    processors = ["cloud-processor:9464", "cloud-processor-2:9464", "cloud-processor-3:9464"]
    assert jobs["processor"] == processors[:count]
    assert jobs["watch"] == ["cloud-watch:9464"]
    assert jobs["gallery"] == ["cloud-gallery:9464"]


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, set()),
        ({"cloud_alert_webhook": "https://hooks.example.com/x"}, {"webhook_configs"}),
        ({"cloud_alert_mail_to": "me@example.com"}, {"email_configs"}),
        ({"cloud_alert_webhook": "x", "cloud_alert_mail_to": "m"}, {"webhook_configs", "email_configs"}),
    ],
)
def test_who_is_told_is_what_was_asked_for_and_no_secret_stands_in_the_file(
    changes: dict[str, str], kinds: set[str]
) -> None:
    login = {"cloud_alert_mail_user": "me", "cloud_alert_mail_password": "secret"}
    values = defaults("cloud") | login | changes

    text = rendered(CLOUD / "alertmanager.yml.j2", **values)

    (receiver,) = yaml.safe_load(text)["receivers"]
    assert set(receiver) - {"name"} == kinds
    assert "secret\n" not in text
    assert "hooks.example.com" not in text
