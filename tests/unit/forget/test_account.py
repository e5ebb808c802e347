"""The numbers of what was found."""

from datetime import UTC, datetime

from facefleet.forget.account import Account, Found, place_of

TOOK = datetime(2026, 11, 25, tzinfo=UTC)
FIRST = "faces/jetson-07/lobby/2026/11/01/20261101T080000.250Z-aa.png"
SECOND = "faces/jetson-07/lobby/2026/11/02/20261102T080000.000Z-bb.png"


def test_keys_versions_and_marks_are_told_apart() -> None:
    account = Account()
    for found in (
        Found(FIRST, "1", 10, TOOK),
        Found(FIRST, "2", 11, TOOK),
        Found(SECOND, "3", 20, TOOK),
        Found(SECOND, "4", 0, TOOK, is_mark=True),
        Found("probes/jetson-07/20261103T000000.000Z-cc.png", "5", 1, TOOK),
    ):
        account.add(found)
    figures = account.figures()
    assert account.entries == 5
    assert {name: figures[name] for name in ("objects", "versions", "delete_marks", "bytes")} == {
        "objects": 3,
        "versions": 4,
        "delete_marks": 1,
        "bytes": 42,
    }
    assert (figures["first"], figures["last"]) == ("2026-11-01T08:00:00.250000Z", "2026-11-03T00:00:00Z")
    assert [line["camera"] for line in figures["cameras"]] == ["lobby", ""]  # type: ignore[attr-defined]
    assert figures["cameras"][0]["objects"] == 2  # type: ignore[index]


def test_a_place_needs_no_whole_key() -> None:
    assert place_of("dead-letter/a/b/ff") == ("dead-letter", "a", "b")
    assert place_of("probes/a/ff") == ("probes", "a", "")
    assert place_of("faces/x") == ("faces", "", "")
