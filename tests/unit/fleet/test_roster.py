"""The roster: what a device last said, when it was heard, and since when it is as it is."""

from datetime import timedelta
from typing import Any

import pytest
from facefleet.fleet.device import parse
from facefleet.fleet.roster import NO_ANSWER, Entry, Roster, RosterError

from tests.statuses import NOW, say

OFFLINE = '{"state": "offline"}'


def at(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def entry_of(roster: Roster) -> Entry:
    entry = roster.get("jetson-01")
    assert entry is not None
    return entry


def test_since_counts_from_the_change_and_not_from_the_last_word() -> None:
    roster = Roster()
    for minutes in (0, 1, 2):
        roster.hear("jetson-01", say(), NOW + at(minutes))

    entry = entry_of(roster)

    assert (entry.since, entry.heard, entry.since_exact) == (NOW, NOW + at(2), True)
    assert entry.online(NOW + at(3))


def test_a_last_will_keeps_what_the_device_last_said_and_when() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW)
    roster.hear("jetson-01", OFFLINE, NOW + at(1))

    entry = entry_of(roster)

    assert (entry.state, entry.since, entry.heard) == ("offline", NOW + at(1), NOW)
    assert entry.device == parse(say())


def test_what_cannot_be_read_keeps_it_too() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW)
    roster.hear("jetson-01", "{", NOW + at(1))

    assert entry_of(roster).state == "unreadable"
    assert entry_of(roster).device == parse(say())


def test_silence_is_noticed_and_counts_from_the_last_word() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW)

    entry = entry_of(roster)

    assert entry.standing(NOW + at(2)) == "online"
    assert entry.standing(NOW + at(2.1)) == "silent"
    assert entry.standing_since(NOW + at(5)) == NOW


def test_a_retained_status_tells_the_state_but_not_since_when() -> None:
    roster = Roster()
    roster.hear("jetson-01", OFFLINE, NOW, retained=True)

    entry = entry_of(roster)

    assert (entry.state, entry.since, entry.since_exact) == ("offline", NOW, False)
    assert entry.heard is None


def test_a_retained_status_is_as_old_as_it_says() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(said="2026-11-25T09:00:00Z"), NOW, retained=True)

    assert entry_of(roster).heard == NOW - at(8 * 60)
    assert entry_of(roster).standing(NOW) == "silent"


@pytest.mark.parametrize(
    "changes", [{"said": "1970-01-01T00:00:00Z", "clock": "unsynchronized"}, {"said": "2030-01-01T00:00:00Z"}]
)
def test_a_clock_that_is_wrong_makes_no_device_silent(changes: dict[str, Any]) -> None:
    roster = Roster()
    roster.hear("jetson-01", say(**changes), NOW, retained=True)

    assert entry_of(roster).standing(NOW + at(1)) == "online"
    assert entry_of(roster).standing(NOW + at(3)) == "silent"


def test_since_survives_a_restart_of_who_keeps_the_roster() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW - at(60))
    again = Roster.from_json(roster.as_json(NOW))
    again.hear("jetson-01", say(), NOW, retained=True)

    assert (entry_of(again).since, entry_of(again).since_exact) == (NOW - at(60), True)


def test_a_change_during_that_restart_was_before_it_was_heard_of() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW - at(60))
    again = Roster.from_json(roster.as_json(NOW))
    again.hear("jetson-01", OFFLINE, NOW, retained=True)

    entry = entry_of(again)

    assert (entry.since, entry.since_exact, entry.heard) == (NOW, False, NOW - at(60))


def test_an_empty_message_removes_the_device() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW)
    roster.hear("jetson-01", b"", NOW)
    roster.hear("jetson-02", b"", NOW)

    assert roster.entries == []


def test_giving_up_is_noticed_when_the_count_grows() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(given_up=7), NOW)
    assert entry_of(roster).gave_up is None

    roster.hear("jetson-01", say(given_up=8), NOW + at(1))
    roster.hear("jetson-01", say(given_up=8), NOW + at(2))

    assert entry_of(roster).gave_up == NOW + at(1)


def test_a_camera_that_gives_up_counts_and_one_that_comes_back_does_not() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(lobby={"given_up": 5}), NOW)
    roster.hear("jetson-01", say(cameras={"lobby": {"state": "offline"}}), NOW + at(1))
    roster.hear("jetson-01", say(lobby={"given_up": 5}), NOW + at(2))
    assert entry_of(roster).gave_up is None

    roster.hear("jetson-01", say(lobby={"given_up": 6}), NOW + at(3))
    assert entry_of(roster).gave_up == NOW + at(3)


def test_a_count_that_began_anew_is_not_giving_up() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(given_up=7), NOW)
    roster.hear("jetson-01", say(given_up=0), NOW + at(1))

    assert entry_of(roster).gave_up is None


def test_a_roster_is_the_same_after_a_way_through_json() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(given_up=1), NOW)
    roster.hear("jetson-01", say(given_up=2), NOW)
    roster.hear("jetson-02", OFFLINE, NOW, retained=True)
    roster.expect(["jetson-01", "jetson-03"])
    roster.mark_unasked("jetson-04", NO_ANSWER)

    again = Roster.from_json(roster.as_json(NOW))

    assert again.entries == roster.entries
    assert again.at == NOW
    assert [entry.state for entry in again.entries] == ["online", "offline", "never heard", "no answer"]


def test_of_what_was_asked_once_nobody_knows_since_when() -> None:
    roster = Roster()
    roster.answered("jetson-01", say(), NOW)
    roster.answered("jetson-02", "", NOW)

    assert (entry_of(roster).state, entry_of(roster).since) == ("online", None)
    assert roster.get("jetson-02") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "no JSON"),
        ("[]", "no devices"),
        ('{"version": 2, "devices": {}}', "version 2"),
        ("[" * 9000, "JSON"),
    ],
)
def test_what_is_no_roster_is_refused_with_a_remedy(text: str, reason: str) -> None:
    with pytest.raises(RosterError, match=rf"{reason}.*: (ask the watch|use the release)"):
        Roster.from_json(text)


def test_an_entry_of_a_roster_may_be_anything() -> None:
    roster = Roster.from_json(
        '{"version": 1, "devices": {"a": 7, "b": {"state": 8, "since": "x", "report": []}}}'
    )

    assert [entry.state for entry in roster.entries] == ["never heard", "unreadable"]
