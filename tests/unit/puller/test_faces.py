"""Faces go first: while a backlog moves, little is fetched."""

import json

from facefleet.fleet.device import parse
from facefleet.puller.faces import MOVES_WITHIN_S, Backlog


def say(backlog: Backlog, now: float, **changes: object) -> None:
    said = {"state": "online", "cloud": "connected", "held": 50, "stored": 100}
    backlog.heard(parse(json.dumps(said | changes)), now)


def test_a_backlog_that_goes_comes_first_until_it_is_gone() -> None:
    backlog = Backlog()
    say(backlog, 0.0)
    assert not backlog.moves(0.0)
    say(backlog, 10.0, stored=120)
    assert backlog.moves(11.0)
    say(backlog, 20.0, stored=170, held=0)
    assert not backlog.moves(21.0)


def test_one_that_does_not_go_keeps_nobody_waiting() -> None:
    backlog = Backlog()
    say(backlog, 0.0)
    say(backlog, 10.0)
    assert not backlog.moves(11.0)
    say(backlog, 20.0, stored=120)
    assert not backlog.moves(20.0 + MOVES_WITHIN_S)
    say(backlog, 30.0, stored=130, cloud="unreachable")
    assert not backlog.moves(31.0)
