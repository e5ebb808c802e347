"""Captured against stored."""

import json
from datetime import UTC, datetime

import pytest
from facefleet.messaging.event import Box, FaceEvent
from facefleet.processor.verdict import face_key
from facefleet.sheet.account import (
    Account,
    Report,
    count_dead,
    count_faces,
    newest,
    read_status,
)
from facefleet.storage.faces import Camera, StoredFace, read_key

DOOR = Camera("jetson-01", "door")
YARD = Camera("jetson-01", "yard")


def stored(camera: Camera, second: int) -> StoredFace:
    return StoredFace(f"key-{camera}-{second}", camera, datetime(2026, 11, 22, 8, 0, second, tzinfo=UTC))


def test_a_key_of_the_processor_is_read() -> None:
    time = datetime(2026, 11, 22, 7, 50, 1, 123000, tzinfo=UTC)
    event = FaceEvent("jetson-01", "door", "ab12", time, 1, 1, 0.9, Box(0, 0, 1, 1), b"")
    key = face_key(event, "png")
    assert read_key(key) == StoredFace(key, DOOR, time)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "faces/",
        "faces/jetson-01/door/2026/11/22/",
        "faces/jetson-01/door/2026/11/22/20261122T075001.123Z-ab.txt",
        "faces/jetson-01/door/2026/11/22/20261322T075001.123Z-ab.png",
        "probes/processor.txt",
        "probes/jetson-01/20261122T075001.123Z-ab.png",
        "dead-letter/jetson-01/door/abc",
    ],
)
def test_other_keys_are_no_faces(key: str) -> None:
    assert read_key(key) is None


def test_a_status_is_read() -> None:
    payload = json.dumps(
        {"state": "online", "camera": "ok", "captured": 7, "given_up": 2, "more": 1}
    ).encode()
    assert read_status("status/jetson-01/door", payload) == (DOOR, Report("online", 7, 2))


def test_a_last_will_tells_no_count() -> None:
    assert read_status("status/jetson-01/door", b'{"state": "offline"}') == (DOOR, Report("offline"))


@pytest.mark.parametrize("payload", [b"{", b"[]", b"null", b"\xff", b"{}"])
def test_an_unreadable_status_is_shown_as_such(payload: bytes) -> None:
    assert read_status("status/jetson-01/door", payload) == (DOOR, Report("unreadable"))


@pytest.mark.parametrize("value", ['"7"', "true", "-1", "1.5", "null"])
def test_an_impossible_count_is_none(value: str) -> None:
    payload = f'{{"state": "online", "captured": {value}}}'.encode()
    assert read_status("status/jetson-01/door", payload) == (DOOR, Report("online"))


@pytest.mark.parametrize("topic", ["status/jetson-01", "face_detection/jetson-01/door", "status/a/b/c"])
def test_other_topics_are_no_status(topic: str) -> None:
    assert read_status(topic, b"{}") is None


def test_a_status_taken_back_is_none() -> None:
    assert read_status("status/jetson-01/door", b"") is None


def test_the_account_shows_every_camera_and_what_is_missing() -> None:
    account = Account(
        {DOOR: Report("online", 10, given_up=1), YARD: Report("offline")},
        count_faces([stored(DOOR, second) for second in range(6)]),
        count_dead(
            f"dead-letter/{rest}"
            for rest in ("jetson-01/door/a", "jetson-02/hall/b", "odd", "jetson-01/probe/c")
        ),
    )
    assert [(str(line.camera), line.captured, line.stored, line.dead) for line in account.lines] == [
        ("jetson-01/door", 10, 6, 1),
        ("jetson-01/yard", None, 0, 0),
        ("jetson-02/hall", None, 0, 1),
    ]
    assert account.missing == {DOOR: 2}
    assert (account.total_captured, account.total_stored, account.total_dead) == (10, 6, 2)
    assert not account.even


def test_more_stored_than_captured_is_nothing_missing_but_not_even() -> None:
    account = Account({DOOR: Report("online", 1)}, {DOOR: 2})
    assert account.missing == {}
    assert not account.even
    assert Account({DOOR: Report("online", 2)}, {DOOR: 2}).even


def test_without_a_status_nothing_is_known_of_captures() -> None:
    assert Account({}, {DOOR: 2}).total_captured is None


def test_the_newest_come_first_whatever_their_camera() -> None:
    faces = [stored(DOOR, 1), stored(YARD, 3), stored(DOOR, 2)]
    assert newest(faces, 2) == [stored(YARD, 3), stored(DOOR, 2)]
    assert newest(faces, 9)[-1] == stored(DOOR, 1)
