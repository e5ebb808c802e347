"""The roster as metrics: what is there is shown, what is not known is not."""

from datetime import timedelta

import pytest
from facefleet.fleet.roster import Roster, utc_now
from facefleet.watch.figures import Figures
from facefleet.watch.post import Post
from prometheus_client import CollectorRegistry

from tests.statuses import CAMERA, say

OFFLINE = '{"state": "offline"}'


def shown(roster: Roster) -> CollectorRegistry:
    registry = CollectorRegistry()
    Figures(Post(roster), registry)
    return registry


def of_device(registry: CollectorRegistry, name: str, device: str = "jetson-01") -> float | None:
    return registry.get_sample_value(f"facefleet_device_{name}", {"device": device})


def of_lobby(registry: CollectorRegistry, name: str) -> float | None:
    labels = {"device": "jetson-01", "camera": "lobby"}
    return registry.get_sample_value(f"facefleet_device_camera_{name}", labels)


def test_a_device_that_is_there_shows_all_that_it_says() -> None:
    roster = Roster()
    now = utc_now()
    roster.hear("jetson-01", say(given_up=2), now)

    registry = shown(roster)

    expected = {
        "online": 1,
        "held": 3,
        "oldest_seconds": 2,
        "given_up_total": 2,
        "stored_total": 12000,
        "spool_bytes": 700_000,
        "spool_max_bytes": 1 << 30,
        "clock_right": 1,
        "cloud_connected": 1,
        "disk_free_bytes": 20 << 30,
        "disk_total_bytes": 60 << 30,
        "temperature_celsius": 51.5,
        "certificate_end_timestamp_seconds": 1_827_619_200,
    }
    assert {name: of_device(registry, name) for name in expected} == expected
    assert of_device(registry, "heard_timestamp_seconds") == pytest.approx(now.timestamp())
    cameras = {"up": 1, "paused": 0, "fps": 14.9, "captured_total": 9001, "given_up_total": 0, "held": 1}
    assert {name: of_lobby(registry, name) for name in cameras} == cameras
    labels = {"device": "jetson-01", "release": "77e0c2b19a45"}
    assert registry.get_sample_value("facefleet_device_release_info", labels) == 1


@pytest.mark.parametrize("gone", [OFFLINE, None])
def test_of_a_device_that_is_away_only_its_accounts_stay(gone: str | None) -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), utc_now() - timedelta(minutes=5))
    if gone:
        roster.hear("jetson-01", gone, utc_now())

    registry = shown(roster)

    assert of_device(registry, "online") == 0
    assert (of_device(registry, "held"), of_device(registry, "stored_total")) == (3, 12000)
    away = ("clock_right", "cloud_connected", "disk_free_bytes", "temperature_celsius")
    assert [of_device(registry, name) for name in away] == [None] * 4
    assert of_lobby(registry, "up") is None


def test_what_an_older_release_does_not_say_is_not_shown() -> None:
    roster = Roster()
    roster.hear("jetson-01", '{"state": "online", "held": 1}', utc_now())

    registry = shown(roster)

    assert of_device(registry, "held") == 1
    for name in ("last_receipt_timestamp_seconds", "clock_right", "cloud_connected", "spool_max_bytes"):
        assert of_device(registry, name) is None


@pytest.mark.parametrize(
    ("camera", "up", "paused"),
    [({"camera": "gone"}, 0, 0), ({"camera": "paused"}, 0, 1), ({"state": "offline"}, 0, 0), ({}, 1, 0)],
)
def test_a_paused_camera_is_told_from_a_blind_one(camera: dict[str, str], up: float, paused: float) -> None:
    roster = Roster()
    roster.hear("jetson-01", say(cameras={"lobby": CAMERA | camera}), utc_now())

    registry = shown(roster)

    assert (of_lobby(registry, "up"), of_lobby(registry, "paused")) == (up, paused)


def test_problems_are_counted_by_how_bad_they_are() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(clock="unsynchronized", certificate_ends="2020-01-01T00:00:00Z"), utc_now())

    registry = shown(roster)

    counted = {
        severity: registry.get_sample_value(
            "facefleet_device_problems", {"device": "jetson-01", "severity": severity}
        )
        for severity in ("broken", "attention", "note")
    }
    assert counted == {"broken": 1, "attention": 1, "note": 0}


def test_whether_the_broker_is_heard_is_shown() -> None:
    post = Post(Roster())
    registry = CollectorRegistry()
    Figures(post, registry)
    assert registry.get_sample_value("facefleet_watch_connected") == 0
    post.turned(connected=True)
    assert registry.get_sample_value("facefleet_watch_connected") == 1
