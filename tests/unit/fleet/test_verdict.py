"""What is wrong with a device is said in words, with the remedy."""

from datetime import timedelta
from typing import Any

import pytest
from facefleet.fleet.roster import NEVER_HEARD, NO_ANSWER, NO_STACK, Entry, Roster
from facefleet.fleet.verdict import SEVERITIES, Problem, problems, worst

from tests.statuses import NOW, say

GIB = 1 << 30


def entry_of(*payloads: str) -> Entry:
    roster = Roster()
    for payload in payloads:
        roster.hear("jetson-01", payload, NOW)
    entry = roster.get("jetson-01")
    assert entry is not None
    return entry


def found(*payloads: str) -> list[Problem]:
    return problems(entry_of(*payloads), NOW)


def test_nothing_is_wrong_with_a_device_in_good_health() -> None:
    assert found(say()) == []
    assert worst([]) is None


def test_nothing_is_wrong_with_what_an_older_release_says() -> None:
    assert (
        found('{"state": "online", "cloud": "connected", "held": 9, "cameras": {"a": {"state": "online"}}}')
        == []
    )


@pytest.mark.parametrize(
    ("changes", "severity", "what"),
    [
        (
            {"cloud": "mqtts://c:8883 unreachable: no answer in time"},
            "broken",
            "no way to the cloud: mqtts://c:8883",
        ),
        ({"held": 9, "oldest_s": 901}, "attention", "holds 9 faces, the oldest for 15m"),
        ({"held": 9, "oldest_s": 21_601}, "broken", "holds 9 faces, the oldest for 6h"),
        (
            {"held": 9, "oldest_s": 700, "last_receipt": "2026-11-25T16:40:00Z"},
            "broken",
            "no receipt came for 19m",
        ),
        ({"held": 9, "oldest_s": 700, "last_receipt": None}, "broken", "no receipt came for 5d"),
        ({"spool_bytes": 860 << 20}, "attention", "full to 84%: 860M of 1.0G"),
        ({"spool_bytes": 1000 << 20}, "broken", "full to 98%"),
        ({"certificate_ends": "2026-12-24T17:00:00Z"}, "attention", "ends 2026-12-24 17:00 UTC, in 29d"),
        ({"certificate_ends": "2026-12-01T17:00:00Z"}, "broken", "in 6d"),
        ({"certificate_ends": "2026-11-24T17:00:00Z"}, "broken", "ended 2026-11-24 17:00 UTC"),
        ({"host": {"disk_free": 5 * GIB}}, "attention", "its disk has 5.0G left of 60G"),
        ({"host": {"disk_free": 2 * GIB}}, "broken", "its disk has 2.0G left"),
        ({"host": {"memory_free": 200 << 20}}, "attention", "its memory has 200M left of 8.0G"),
        ({"host": {"temperature": 85}}, "attention", "85 degrees"),
        ({"host": {"temperature": 95.4}}, "broken", "95 degrees"),
        ({"clock": "unsynchronized"}, "attention", "nothing sets its clock"),
        ({"lobby": {"camera": "paused"}}, "note", "camera lobby is paused"),
        (
            {"lobby": {"camera": "v4l2: not there: plug it in"}},
            "broken",
            "camera lobby is blind: v4l2: not there",
        ),
        ({"lobby": {"state": "offline"}}, "broken", "the detector of camera lobby is offline"),
        ({"lobby": {"state": "stopped"}}, "attention", "the detector of camera lobby is stopped"),
        ({"lobby": {"state": "unreadable"}}, "broken", "the detector of camera lobby is unreadable"),
    ],
)
def test_each_fault_is_named_once_and_has_a_remedy(changes: dict[str, Any], severity: str, what: str) -> None:
    (problem,) = found(say(**changes))

    assert problem.severity == severity
    assert what in problem.what
    assert problem.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"held": 9, "oldest_s": 899},
        {"held": 0, "oldest_s": 90_000},
        {"held": 9, "oldest_s": 599, "last_receipt": "2026-11-25T09:00:00Z"},
        {"certificate_ends": "2026-12-26T17:00:00Z"},
        {"host": {"disk_free": 7 * GIB, "memory_free": 1 * GIB, "temperature": 84.9}},
        {"lobby": {"camera": "starting"}},
    ],
)
def test_what_is_still_well_is_no_fault(changes: dict[str, Any]) -> None:
    assert found(say(**changes)) == []


@pytest.mark.parametrize(("count", "faults"), [(7, 0), (8, 1)])
def test_giving_up_is_a_fault_for_an_hour(count: int, faults: int) -> None:
    entry = entry_of(say(given_up=7), say(given_up=count))

    assert len(problems(entry, NOW)) == faults
    assert not any("gives up" in problem.what for problem in problems(entry, NOW + timedelta(hours=1)))


def test_of_a_device_that_is_away_only_that_counts() -> None:
    (problem,) = found(say(clock="unsynchronized", lobby={"camera": "gone"}), '{"state": "offline"}')

    assert problem.severity == "broken"
    assert problem.what == "offline since 2026-11-25 17:00 UTC (0s); it held 3 faces, which stay on its disk"


def test_a_change_that_nobody_saw_was_before() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(state="stopped"), NOW, retained=True)

    (problem,) = problems(roster.entries[0], NOW + timedelta(hours=3))

    assert problem.severity == "attention"
    assert problem.what.startswith("stopped since before 2026-11-25 17:00 UTC (more than 3h)")


@pytest.mark.parametrize(
    ("state", "what"),
    [(NEVER_HEARD, "never heard"), (NO_ANSWER, "no answer by ssh"), (NO_STACK, "no broker runs there")],
)
def test_a_device_that_was_never_heard_or_does_not_answer_is_a_fault(state: str, what: str) -> None:
    (problem,) = problems(Entry("jetson-01", state), NOW)

    assert problem.severity == "broken"
    assert what in problem.what


def test_the_worst_comes_first() -> None:
    severities = [
        problem.severity
        for problem in found(
            say(clock="unsynchronized", cloud="cut", lobby={"camera": "paused"}, host={"temperature": 99})
        )
    ]

    assert severities == sorted(severities, key=SEVERITIES.index)
    assert set(severities) == set(SEVERITIES)


PULL = {"state": "ok", "edition": "0a1b", "wants": "0a1b", "said": "2026-11-25T16:50:00Z"}


def test_nothing_is_wrong_with_a_device_that_runs_what_it_was_ordered_or_is_about_to() -> None:
    assert found(say(pull=PULL)) == []
    assert found(say(pull=PULL | {"state": "fetching", "wants": "2c3d"})) == []


@pytest.mark.parametrize(
    ("changes", "severity", "what", "remedy"),
    [
        (
            {"state": "failed", "wants": "2c3d", "why": "no receipt came"},
            "broken",
            "edition 2c3d failed here, it runs 0a1b: no receipt came",
            "playbooks/promote.yml",
        ),
        (
            {"state": "waiting", "why": "the depot cannot be reached"},
            "attention",
            "its update waits",
            "what it says",
        ),
        (
            {"said": "2026-11-24T16:00:00Z"},
            "attention",
            "it looked for no order since 2026-11-24",
            "facefleet-pull.timer",
        ),
    ],
)
def test_a_device_that_stays_behind_says_why(
    changes: dict[str, Any], severity: str, what: str, remedy: str
) -> None:
    (problem,) = found(say(pull=PULL | changes))
    assert problem.severity == severity
    assert what in problem.what
    assert remedy in problem.remedy
