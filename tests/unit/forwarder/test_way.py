"""Since when the way to the cloud is as it is."""

import time

import pytest
from facefleet.forwarder.way import CONNECTED, NOT_YET, Way


def test_only_a_turn_to_good_or_bad_begins_a_new_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    way = Way()
    assert way.standing == NOT_YET
    begun = []
    for standing in ("no route", "refused", CONNECTED, CONNECTED, "no route", "no name"):
        now[0] += 1
        way.turn(standing)
        assert way.standing == standing
        begun.append(way.since.steady_s)
    assert begun == [1000, 1000, 1003, 1003, 1005, 1005]
