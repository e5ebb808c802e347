"""What a device says."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from facefleet.depot.report import EDITIONS_KEPT, WHY_MOST, ReportError, Standing, first_word, read_report

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "edition": "e1",
    "wants": "e1",
    "state": "ok",
    "why": "",
    "release": None,
    "said": "1970",
}


def text(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_what_a_newer_puller_says_besides_is_no_reason_not_to_listen() -> None:
    assert read_report(text(mood="fine")).state == "ok"


def test_a_long_reason_is_cut_not_refused() -> None:
    assert len(read_report(text(state="failed", why="x" * 50_000)).why) == WHY_MOST


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"state": "fine"}, "state: Input should be"),
        ({"edition": "a\nb"}, "edition: String should match"),
        ({"edition": "x" * 101}, "edition: String should have at most"),
        ({"said": None}, "said: Input should be a valid string"),
    ],
)
def test_what_is_no_report_is_refused_in_words(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ReportError, match=complaint):
        read_report(text(**changes))
    with pytest.raises(ReportError, match="Invalid JSON"):
        read_report(b"{")


def test_the_verdicts_on_the_newest_editions_are_kept_and_survive_the_bucket() -> None:
    standing = first_word(read_report(text(state="waiting")), NOW)
    for number in range(EDITIONS_KEPT + 5):
        standing = standing.after(read_report(text(edition=f"e{number}")), NOW + timedelta(minutes=number))
    again = Standing.model_validate_json(standing.model_dump_json())
    assert again == standing
    assert set(again.editions) == {f"e{number}" for number in range(5, EDITIONS_KEPT + 5)}


def test_the_same_again_is_not_worth_a_write() -> None:
    first = first_word(read_report(text()), NOW)
    assert not first.after(read_report(text(said="later")), NOW + timedelta(hours=1)).says_more_than(first)
    for changes in ({"state": "applying"}, {"why": "link"}, {"edition": "e2"}, {"release": "0" * 12}):
        assert first.after(read_report(text(**changes)), NOW).says_more_than(first), changes
