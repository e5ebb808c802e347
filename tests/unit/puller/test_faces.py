"""Faces go first: while a backlog moves, little is fetched."""

import json

from facefleet.fleet.device import parse
from facefleet.puller.faces import FIRST_MOST_S, MOVES_WITHIN_S, Backlog


def say(backlog: Backlog, now: float, **changes: object) -> None:
    said = {"state": "online", "cloud": "connected", "held": 50, "stored": 100}
    backlog.heard(parse(json.dumps(said | changes)), now)


def test_a_backlog_that_goes_comes_first_until_it_is_gone() -> None:
    backlog = Backlog()
    assert not backlog.goes_first(1000.0), "nothing was heard"
    say(backlog, 1000.0)
    assert backlog.goes_first(1000.0)
    say(backlog, 1010.0, stored=120)
    assert backlog.goes_first(1011.0)
    say(backlog, 1020.0, stored=170, held=0)
    assert not backlog.goes_first(1021.0)


def test_one_that_does_not_go_keeps_nobody_waiting_for_long() -> None:
    backlog = Backlog()
    say(backlog, 1000.0)
    say(backlog, 1030.0)
    assert not backlog.goes_first(1000.0 + MOVES_WITHIN_S)
    say(backlog, 1100.0, stored=120)
    assert backlog.goes_first(1101.0)
    say(backlog, 1200.0, stored=120, cloud="unreachable")
    assert not backlog.goes_first(1200.0)
    say(backlog, 1300.0, stored=120)
    assert backlog.goes_first(1300.0), "the cloud is there again"


def test_one_without_end_goes_first_for_a_while() -> None:
    backlog = Backlog()
    first = 0.0
    for now in range(0, 7200, 30):
        say(backlog, float(now), stored=now)
        first += 30 * backlog.goes_first(float(now))
    assert first == FIRST_MOST_S
