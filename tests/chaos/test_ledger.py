"""The ledger can fail: each kind of wrong end is told from a right one."""

from dataclasses import replace

import pytest

from tests.chaos.ledger import Captured, Claims, balance, misgiven, read_log

RIGHT = Claims(
    captured=["a", "b", "c"], objects={"a": 1, "b": 1, "c": 1}, given_up=0, held=0, dead=0, taken=3
)


def test_all_stored_once_is_good() -> None:
    verdict = balance(RIGHT)
    assert verdict.good
    assert (verdict.captured, verdict.stored, verdict.lost, verdict.duplicates) == (3, 3, 0, 0)


def test_a_lost_event_is_seen() -> None:
    verdict = balance(replace(RIGHT, objects={"a": 1, "c": 1}))
    assert verdict.lost == 1
    assert verdict.faults == ("1 lost",)


def test_a_second_object_or_version_of_an_event_is_seen() -> None:
    verdict = balance(replace(RIGHT, objects={"a": 1, "b": 3, "c": 1}))
    assert verdict.duplicates == 2
    assert verdict.faults == ("2 duplicates",)


def test_an_event_that_was_given_up_and_counted_is_not_lost() -> None:
    verdict = balance(replace(RIGHT, objects={"a": 1, "c": 1}, given_up=1))
    assert verdict.good
    assert verdict.lost == 0


def test_giving_up_more_than_is_missing_is_seen() -> None:
    verdict = balance(replace(RIGHT, given_up=1))
    assert verdict.faults == ("1 said to be given up or held, but only 0 are not in S3",)


def test_a_lost_event_does_not_hide_behind_one_that_no_line_tells_of() -> None:
    verdict = balance(replace(RIGHT, objects={"a": 1, "b": 1, "x": 1}, taken=4))
    assert (verdict.captured, verdict.lost) == (4, 1)


def test_an_event_without_a_line_was_captured_when_the_outbox_says_so() -> None:
    assert balance(replace(RIGHT, objects={**RIGHT.objects, "d": 1}, taken=4)).good
    assert not balance(replace(RIGHT, objects={**RIGHT.objects, "d": 1}, taken=3)).good


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dead": 1}, "1 dead letters"),
        ({"objects": {"a": 1, "b": 1}, "held": 1}, "1 still held at the end"),
        ({"taken": 5}, "the outbox says it took 5, the log and S3 say 3"),
        ({"captured": ["a", "a", "b", "c"]}, "1 captured twice"),
    ],
)
def test_other_wrong_ends_are_seen(change: dict[str, object], said: str) -> None:
    assert said in balance(replace(RIGHT, **change)).faults  # type: ignore[arg-type]


def test_a_line_without_an_end_is_no_line() -> None:
    assert read_log("a 1 0.500 KEPT\nb 2 0.4") == [Captured("a", 1, 0.5)]
    assert read_log("") == []


def test_what_the_policy_does_not_explain_is_seen() -> None:
    captured = [Captured("a", 1, 0.9), Captured("b", 2, 0.3), Captured("c", 3, 0.5)]
    assert misgiven("drop_lowest_score", captured, {"a", "c"}) == ""
    assert "scored" in misgiven("drop_lowest_score", captured, {"b", "c"})
    assert misgiven("drop_oldest", captured, {"b", "c"}, newest={"c"}) == ""
    assert "newest" in misgiven("drop_oldest", captured, {"a", "b"}, newest={"c"})
    assert misgiven("reject", captured, {"a"}) == ""
