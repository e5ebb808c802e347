"""An archive in pieces: which are missing, how fast they go, and when the faces go first."""

import hashlib
import json
import random
from pathlib import Path

import pytest

from tests.unit.roles.plugins import plugin

send = plugin("deliver/action_plugins/archive_send.py")

SIZE = 5 * send.BLOCK + 1000
OURS = [f"{number:064x}" for number in range(6)]


def status(oldest_s: float = 60, stored: int = 0, held: int = 9, cloud: str = "connected") -> str:
    return json.dumps(
        {"state": "online", "cloud": cloud, "held": held, "oldest_s": oldest_s, "stored": stored, "dead": 0}
    )


@pytest.mark.parametrize(
    ("theirs", "parts"),
    [
        ([], [(0, SIZE)]),
        (OURS, []),
        (OURS[:2], [(2 * send.BLOCK, SIZE)]),
        ([*OURS[:2], "torn"], [(2 * send.BLOCK, SIZE)]),
        ([OURS[0], "foreign", *OURS[2:]], [(send.BLOCK, 2 * send.BLOCK)]),
        ([*OURS[:5], "torn"], [(5 * send.BLOCK, SIZE)]),
        (["foreign"] * 9, [(0, SIZE)]),
    ],
)
def test_only_what_is_missing_or_wrong_is_sent(theirs: list[str], parts: list[tuple[int, int]]) -> None:
    assert list(send.missing(OURS, theirs, SIZE)) == parts


def test_an_archive_is_named_after_its_hash_and_known_by_its_blocks(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(2 * send.BLOCK + 5)
    file = tmp_path / "archive"
    file.write_bytes(content)
    archive = send.Archive(file)
    assert archive.name == hashlib.sha256(content).hexdigest()[:16] + ".part"
    assert archive.blocks[2] == hashlib.sha256(content[-5:]).hexdigest()
    assert archive.read(send.BLOCK, 7) == content[send.BLOCK : send.BLOCK + 7]


@pytest.mark.parametrize("rate", [1000, 200_000, 50_000_000])
@pytest.mark.parametrize("link", [300_000, 10_000_000])
def test_the_cap_holds_and_is_used(rate: int, link: int) -> None:
    """On a link of its own, by a clock of its own."""
    pace, now, sent = send.Pace(0.1), 0.0, 0
    while now < 120:
        now += pace.wait_s(now)
        piece = pace.piece(rate)
        began = now
        now += 0.1 + piece / link
        pace.sent(piece, rate, began, now)
        sent += piece
        assert sent <= rate * (now + 2 * send.PIECE_S)
    possible = min(rate, link)
    assert sent > 0.5 * possible * now


@pytest.mark.parametrize("cost_s", [0.05, 1.5])
def test_without_a_cap_the_link_seldom_idles(cost_s: float) -> None:
    link = 2_000_000
    pace, now, sent = send.Pace(cost_s), 0.0, 0
    while now < 120:
        assert pace.wait_s(now) == pytest.approx(0)
        piece = pace.piece(0)
        assert piece <= send.PIECE_MOST
        pace.sent(piece, 0, now, now + cost_s + piece / link)
        now += cost_s + piece / link
        sent += piece
    assert sent > 0.6 * link * now


def test_a_backlog_that_goes_goes_first() -> None:
    backlog = send.Backlog(10, 1000)
    assert not backlog.yields(0)
    backlog.hear(status(oldest_s=3), 1)
    assert not backlog.yields(1), "what is under way is no backlog"
    backlog.hear(status(stored=5), 2)
    assert backlog.yields(3)
    backlog.hear(status(held=0, oldest_s=0, stored=14), 12)
    assert not backlog.yields(13)
    assert backlog.yielded_s(99) == 10


@pytest.mark.parametrize("said", ["", "not JSON", "[1]", '{"state": "offline"}', status(cloud="no route")])
def test_who_has_no_way_or_no_forwarder_waits_for_nothing(said: str) -> None:
    backlog = send.Backlog(10, 1000)
    backlog.hear(said, 1)
    assert not backlog.yields(1)


def test_a_backlog_that_does_not_move_is_not_waited_for() -> None:
    backlog = send.Backlog(10, 1000)
    backlog.hear(status(stored=5), 0)
    backlog.hear(status(stored=5), send.STUCK_S - 1)
    assert backlog.yields(send.STUCK_S - 1)
    backlog.hear(status(stored=5), send.STUCK_S + 1)
    assert not backlog.yields(send.STUCK_S + 1)
    backlog.hear(status(stored=6), send.STUCK_S + 2)
    assert backlog.yields(send.STUCK_S + 2), "it moves again"


def test_a_delivery_never_waits_for_ever() -> None:
    backlog = send.Backlog(10, 300)
    for now in range(0, 3000, 10):
        backlog.hear(status(stored=now), now)
        assert backlog.yields(now) == (now < 300)
    assert backlog.yielded_s(3000) == 300
