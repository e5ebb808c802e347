"""A status message is read whatever it is."""

import json
from datetime import UTC, datetime

import pytest
from facefleet.fleet.device import PAYLOAD_MOST, TEXT_MOST, CameraState, Device, from_dict, parse
from hypothesis import given
from hypothesis import strategies as st

from tests.statuses import WELL, say

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=12,
)


def test_every_field_of_the_agreed_message_is_read() -> None:
    device = parse(say())

    assert device.as_dict() == WELL | {"oldest_s": 2.0}
    assert device.certificate_ends == datetime(2027, 12, 1, tzinfo=UTC)
    assert (device.certificate, device.trusts) == ("0a1b2c3d4e5f", ("f0e1d2c3b4a5",))
    assert from_dict({"trusts": [7, "a", "b" * 9999] * 9}).trusts[:1] == ("a",)
    assert device.cameras["lobby"].sees
    assert device.host.disk_free_share == pytest.approx(1 / 3)


def test_what_an_older_release_does_not_say_is_unknown() -> None:
    device = parse(
        '{"state": "online", "cloud": "connected", "held": 2, "cameras": {"lobby": {"state": "online"}}}'
    )

    assert (device.state, device.held, device.last_receipt, device.spool_share) == ("online", 2, None, None)
    assert device.cameras["lobby"].sees


def test_a_last_will_says_the_state_alone() -> None:
    assert parse('{"state": "offline"}') == Device(state="offline")


@pytest.mark.parametrize("payload", ["", "{", "[]", "7", "null", '"online"', "[" * 9000, b"\xff\xfe{", "{}"])
def test_what_cannot_be_read_is_a_state_of_its_own(payload: str | bytes) -> None:
    assert parse(payload).state == "unreadable"


def test_a_message_that_is_far_too_long_is_not_even_tried() -> None:
    assert parse(json.dumps({"state": "online", "x": "y" * PAYLOAD_MOST})).state == "unreadable"


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    device = parse(
        json.dumps({"state": "online", "cloud": "\x1b[2Jgone\nforever\u202e" + "x" * 2 * TEXT_MOST})
    )

    assert device.cloud is not None
    assert device.cloud.isprintable()
    assert device.cloud.startswith("[2Jgone forever")
    assert len(device.cloud) <= TEXT_MOST


@pytest.mark.parametrize("value", [-1, True, 1.5, "3", None, [], 1 << 70])
def test_a_count_is_a_count_or_unknown(value: object) -> None:
    assert from_dict({"state": "online", "held": value}).held is None


@pytest.mark.parametrize(
    "value", ["yesterday", "2026-99-01T00:00:00Z", 1764000000, "0001-01-01T00:00:00+23:00"]
)
def test_a_time_is_a_time_or_unknown(value: object) -> None:
    assert from_dict({"said": value}).said is None


@given(JSON)
def test_no_message_breaks_the_reading_and_what_is_read_can_be_written(said: object) -> None:
    device = from_dict(said)

    assert from_dict(json.loads(json.dumps(device.as_dict()))) == device


@given(st.dictionaries(st.sampled_from([*WELL, "x"]), JSON))
def test_no_value_of_a_known_field_breaks_it(said: dict[str, object]) -> None:
    device = from_dict(said)

    assert from_dict(json.loads(json.dumps(device.as_dict()))) == device


def test_a_paused_camera_sees_nothing_and_is_no_fault() -> None:
    paused = CameraState(state="online", camera="paused")

    assert paused.paused
    assert not paused.sees


def test_how_it_stands_with_its_updates_is_read_tolerantly() -> None:
    pull = parse(say(pull={"state": "failed", "edition": "0a1b", "wants": 7, "why": "no\x1b[31m"})).pull
    assert pull
    assert (pull.state, pull.edition, pull.wants, pull.why) == ("failed", "0a1b", None, "no [31m")
    assert parse(say(pull="well")).pull is None
    assert parse(json.dumps(parse(say(pull={"state": "?"})).as_dict())).pull is not None
