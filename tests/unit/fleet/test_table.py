"""The table: what is wrong first, and no line of more than 120 columns."""

import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from facefleet.fleet.__main__ import main
from facefleet.fleet.foundation import Foundation
from facefleet.fleet.roster import Roster
from facefleet.fleet.table import WIDTH, table

from tests.statuses import CAMERA, NOW, say

OFFLINE = '{"state": "offline"}'


def test_a_device_in_good_health_has_a_line_and_each_camera_one_below() -> None:
    roster = Roster()
    roster.hear("jetson-01", say(cameras={"lobby": CAMERA, "garden": CAMERA | {"camera": "paused"}}), NOW)

    lines = table(roster, NOW).splitlines()

    assert " ".join(lines[:2]) == (
        "Fleet at 2026-11-25 17:00 UTC: 1 device: 1 online; "
        "1 of 2 cameras that report gives pictures, 1 paused; 3 faces not in   the cloud yet."
    )
    device = lines.index(next(line for line in lines if line.startswith("jetson-01 ")))
    assert " ".join(lines[device].split()) == (
        "jetson-01 online 0s 77e0c2b19a45 3 684K 2s 0 20s up 12h 33% 38% 52C right 370d"
    )
    assert [line.split()[0] for line in lines[device + 1 :]] == ["garden", "lobby"]
    assert lines[device + 2].split() == ["lobby", "ok", "14.9", "2m", "9,001", "1", "0"]


def test_what_is_wrong_comes_first_with_its_remedy_and_those_devices_lead() -> None:
    roster = Roster()
    for name in ("a", "b", "c"):
        roster.hear(name, say(), NOW)
    roster.hear("b", OFFLINE, NOW - timedelta(minutes=5))
    roster.hear("c", say(clock="unsynchronized"), NOW)

    text = table(roster, NOW)

    order = (
        "BROKEN",
        "b: offline since",
        "-> see whether it has power",
        "NEEDS ATTENTION",
        "c: nothing sets",
    )
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert [line[0] for line in text.splitlines() if line[:2] in {"a ", "b ", "c "}] == ["b", "c", "a"]


def test_one_remedy_stands_once_for_all_that_need_it() -> None:
    roster = Roster()
    for number in range(40):
        roster.hear(f"jetson-{number}", say(clock="unsynchronized"), NOW)

    assert table(roster, NOW).count("->") == 1


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_no_line_is_wider_than_a_terminal_and_none_ends_in_blanks(count: int) -> None:
    roster = Roster()
    for number in range(count):
        name = f"jetson-{number:04}-in-a-place-with-a-very-long-name-that-goes-on-and-on"
        changes = (
            {"cloud": "mqtts://cloud.example.com:8883 unreachable: " + "because " * 40},
            {"lobby": {"camera": "this camera has a lot to say " * 9}},
            {"held": 1_234_567, "oldest_s": 9e5, "given_up": 1_234_567, "spool_bytes": 1 << 45},
            {"clock": "unsynchronized", "release": "a-release-of-a-very-long-name"},
        )[number % 4]
        roster.hear(name, say(**changes), NOW - timedelta(days=700))
        roster.hear(name, say(**changes), NOW)

    lines = table(roster, NOW).splitlines()

    assert [line for line in lines if len(line) > WIDTH or line != line.rstrip()] == []
    assert len([line for line in lines if line.startswith("jetson-")]) == count


def test_the_command_prints_a_roster_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW - timedelta(hours=9))
    roster.hear("jetson-02", say(), NOW)
    file = tmp_path / "roster.json"
    file.write_text(roster.as_json(NOW))

    main([str(file), "--expected", "jetson-01,jetson-03", "--only", "jetson-01,jetson-03"])
    printed = capsys.readouterr().out

    assert "2 devices: 1 never heard, 1 silent" in printed
    assert "jetson-02" not in printed


def test_a_device_that_is_in_no_inventory_any_more_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    roster = Roster()
    for name in ("jetson-01", "jetson-02"):
        roster.hear(name, say(), NOW)
    printed = []
    for options in ([], ["--expected", "jetson-02"], ["--expected", "jetson-02", "--only", "jetson-02"]):
        monkeypatch.setattr("sys.stdin", io.StringIO(roster.as_json(NOW)))
        main(["-", *options])
        printed.append(capsys.readouterr().out)

    assert ["Not in the inventory: jetson-01." in text for text in printed] == [False, True, False]


def test_the_command_prints_what_devices_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {
        "a": say(said="2020-01-01T00:00:00Z"),
        "b": "",
        "c": "no answer",
        "d": OFFLINE,
        "e": "no stack",
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(answers)))

    main(["-", "--answers"])
    printed = capsys.readouterr().out

    assert "1 never heard, 1 no answer, 1 no stack, 1 offline, 1 silent" in printed
    assert "d: offline just now\n" in printed


@pytest.mark.parametrize(("given", "options"), [("{", []), ("[]", ["--answers"]), ("{", ["--answers"])])
def test_the_command_says_why_it_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, given: str, options: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))

    with pytest.raises(SystemExit, match="-: "):
        main(["-", *options])


def test_a_roster_comes_through_json_for_another_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW)
    monkeypatch.setattr("sys.stdin", io.StringIO(roster.as_json(NOW)))

    main(["-", "--json"])

    assert Roster.from_json(capsys.readouterr().out).entries == roster.entries


def test_what_all_devices_stand_on_has_a_line_and_complains_in_time() -> None:
    ends = Foundation(NOW + timedelta(days=5), NOW + timedelta(days=3000))
    roster = Roster(foundation=ends)
    roster.hear("jetson-01", say(), NOW)

    text = table(Roster.from_json(roster.as_json(NOW)).only(["jetson-01"]), NOW)

    assert "Certificates: cloud host 5d, the fleet's authority 3000d." in text
    assert "cloud host: its certificate ends" in text
    assert "authority: the" not in text
    assert "Certificates:" not in table(Roster(), NOW)


def test_what_a_device_runs_and_wants_stands_below_it() -> None:
    roster = Roster()
    roster.hear(
        "jetson-01", say(pull={"state": "failed", "edition": "0a1b", "wants": "2c3d", "why": "no"}), NOW
    )
    roster.hear("jetson-02", say(), NOW)

    lines = [line.strip() for line in table(roster, NOW).splitlines()]

    device = next(number for number, line in enumerate(lines) if line.startswith("jetson-01 "))
    assert lines[device + 1] == "runs edition 0a1b, failed 2c3d"
    assert sum("edition" in line for line in lines[device:]) == 1
