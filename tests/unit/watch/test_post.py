"""Statuses come in, and only what is one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from facefleet.fleet.roster import Roster, utc_now
from facefleet.messaging.delivery import Delivery
from facefleet.watch.post import Post

from tests.statuses import say
from tests.unit.conftest import Lines


def delivery(topic: str, payload: str, acknowledge: Callable[[], object] = lambda: None) -> Delivery:
    return Delivery(topic, payload.encode(), b"", qos=1, redelivered=False, acknowledge=acknowledge)


def test_a_status_is_news_once() -> None:
    post = Post(Roster())
    assert post.news() is not None
    assert post.news() is None

    acknowledged: list[bool] = []
    post.hear(delivery("status/jetson-01", say(), lambda: acknowledged.append(True)))

    assert acknowledged == [True]
    assert [entry.name for entry in Roster.from_json(post.news() or "").entries] == ["jetson-01"]
    assert post.news() is None


def test_news_that_could_not_be_written_stay_news() -> None:
    post = Post(Roster())
    post.news()
    post.unsaved()

    assert post.news() is not None


@pytest.mark.parametrize("topic", ["status", "status/a/b", "receipts/a", "x/status/a"])
def test_what_is_no_devices_status_is_left_alone(topic: str) -> None:
    post = Post(Roster())
    post.hear(delivery(topic, say()))

    assert post.entries() == []


def test_only_a_change_is_logged(lines: Lines) -> None:
    post = Post(Roster())
    for payload in (say(), say(held=4), '{"state": "offline"}', ""):
        post.hear(delivery("status/jetson-01", payload))

    assert [line["state"] for line in lines] == ["online", "offline", "removed"]


def test_who_hears_nothing_says_so_after_a_while() -> None:
    post = Post(Roster())
    now = utc_now()
    assert not post.connected
    assert post.deaf(now) is None
    assert post.deaf(now + timedelta(minutes=3)) is not None

    post.turned(connected=True)
    assert post.connected
    assert post.deaf(now + timedelta(days=1)) is None

    post.turned(connected=False)
    post.turned(connected=False)
    assert post.deaf(now + timedelta(minutes=3)) is not None
