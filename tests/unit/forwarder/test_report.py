"""What a device's status says, and what of it is news."""

import json
from dataclasses import replace
from typing import Any

import pytest
from facefleet.custody.entry import Accounts
from facefleet.forwarder.host import Host
from facefleet.forwarder.report import Report, Standing
from facefleet.messaging.delivery import Delivery

HOST = Host(10, 20, 3, 4, 51.5)
STANDING = Standing(
    said="2026-11-25T17:00:00Z",
    started="2026-11-25T16:00:00Z",
    release="77e0c2b19a45",
    cloud="connected",
    cloud_since="2026-11-25T16:00:02Z",
    last_receipt=None,
    clock="right",
    certificate_ends=None,
    certificate=None,
    trusts=[],
)
ACCOUNTS = Accounts(
    taken=9,
    handed_on=3,
    rejected=1,
    given_up=1,
    damaged=1,
    held=3,
    held_bytes=600,
    disk_bytes=700,
    oldest_s=7.6,
    torn=0,
)


@pytest.fixture
def report() -> Report:
    return Report("jetson-07", 1000)


def hear(report: Report, camera: str, said: Any, device: str = "jetson-07") -> None:
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    report.hear(Delivery.of(f"status/{device}/{camera}", payload))


def test_it_is_the_agreed_message(report: Report) -> None:
    hear(report, "lobby", {"state": "online", "camera": "ok"})
    assert json.loads(report.encoded("online", STANDING, HOST, ACCOUNTS)) == {
        "state": "online",
        "said": "2026-11-25T17:00:00Z",
        "started": "2026-11-25T16:00:00Z",
        "release": "77e0c2b19a45",
        "cloud": "connected",
        "cloud_since": "2026-11-25T16:00:02Z",
        "last_receipt": None,
        "taken": 9,
        "stored": 3,
        "dead": 1,
        "given_up": 2,
        "held": 3,
        "oldest_s": 8,
        "spool_bytes": 700,
        "spool_max_bytes": 1000,
        "clock": "right",
        "certificate_ends": None,
        "certificate": None,
        "trusts": [],
        "pull": None,
        "host": {
            "disk_free": 10,
            "disk_total": 20,
            "memory_free": 3,
            "memory_total": 4,
            "temperature": 51.5,
        },
        "cameras": {"lobby": {"state": "online", "camera": "ok"}},
    }


def test_time_going_by_and_a_cameras_counts_are_no_news(report: Report) -> None:
    hear(report, "lobby", {"state": "online", "camera": "ok", "frames": 1})
    before = report.news(STANDING, ACCOUNTS)
    hear(report, "lobby", {"state": "online", "camera": "ok", "frames": 2})
    later = STANDING._replace(said="2026-11-25T17:00:02Z", last_receipt="2026-11-25T17:00:01Z")
    assert report.news(later, replace(ACCOUNTS, oldest_s=9.6, disk_bytes=800)) == before


@pytest.mark.parametrize(
    "change",
    [
        {"release": "3c1d5a0f9b7e"},
        {"cloud": "nobody takes messages"},
        {"clock": "unsynchronized"},
        {"certificate": "0a1b2c3d4e5f"},
        {"trusts": ["0a1b2c3d4e5f", "f0e1d2c3b4a5"]},
        {"pull": {"state": "failed", "why": "no receipt came"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_an_operator_would_want_to_know_is_news(report: Report, change: dict[str, Any]) -> None:
    assert report.news(STANDING._replace(**change), ACCOUNTS) != report.news(STANDING, ACCOUNTS)


def test_a_camera_that_turns_is_news_whatever_it_says(report: Report) -> None:
    told = [report.news(STANDING, ACCOUNTS)]
    for said in (
        {"state": "online", "camera": "ok"},
        {"state": "online", "camera": "paused"},
        {"state": "offline"},
        {"state": "online", "camera": ["odd"]},
        b"\xff",
    ):
        hear(report, "lobby", said)
        told.append(report.news(STANDING, ACCOUNTS))
    assert len(set(map(str, told))) == len(told)
    assert report.cameras == {"lobby": {"state": "unreadable"}}
    hear(report, "lobby", b"")
    hear(report, "lobby", {"state": "online"}, device="jetson-08")
    assert report.cameras == {}


def test_that_the_puller_looked_again_is_no_news(report: Report) -> None:
    first, second = (
        {"state": "ok", "said": said} for said in ("2026-11-25T17:00:00Z", "2026-11-25T17:15:00Z")
    )
    assert report.news(STANDING._replace(pull=first), ACCOUNTS) == report.news(
        STANDING._replace(pull=second), ACCOUNTS
    )
