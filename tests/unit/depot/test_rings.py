"""Who may have an edition already."""

from datetime import UTC, datetime, timedelta

import pytest
from facefleet.depot.order import Ordered
from facefleet.depot.report import Report, Standing, first_word
from facefleet.depot.rings import hindrances
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)


def ordered(device: str, ring: int, edition: str = "e", soak_s: int = 60) -> Ordered:
    return Ordered(device, 1, edition, ring, soak_s)


def said(state: str, edition: str | None, wants: str | None = None, ago_s: float = 0) -> Standing:
    report = Report.model_validate({"edition": edition, "wants": wants, "state": state, "said": "1970"})
    return first_word(report, NOW - timedelta(seconds=ago_s))


def waits(order: Ordered, others: list[Ordered], standings: dict[str, Standing]) -> list[str]:
    return [str(each) for each in hindrances(order, [*others, order], standings, NOW)]


CANARIES = [ordered("a", 0), ordered("b", 0)]
AFTER = ordered("c", 1)


def test_canaries_wait_for_nobody() -> None:
    failed = {"b": said("failed", "before", "e")}
    assert waits(CANARIES[0], CANARIES, failed) == []


@pytest.mark.parametrize(
    ("b", "why"),
    [
        (None, ["b does not run it yet"]),
        (said("fetching", "before", "e", 999), ["b does not run it yet"]),
        (said("ok", "another", "another", 999), ["b does not run it yet"]),
        (said("ok", "e", "e", 59), ["b has to run it for 1 s more"]),
        (said("ok", "e", "e", 60), []),
        (said("failed", "e", "another", 999), ["b does not run it yet"]),
        (said("failed", "before", "e", 999), ["b failed at it"]),
    ],
)
def test_the_next_ring_waits_for_each_canary(b: Standing | None, why: list[str]) -> None:
    standings = {"a": said("ok", "e", "e", 60)} | ({"b": b} if b else {})
    assert waits(AFTER, CANARIES, standings) == why


def test_who_waits_in_vain_is_told_first() -> None:
    standings = {"b": said("failed", None, "e")}
    found = hindrances(AFTER, CANARIES, standings, NOW)
    assert [(each.device, each.for_good) for each in found] == [("b", True), ("a", False)]


def test_a_ring_waits_for_all_rings_before_it_and_for_none_after_it() -> None:
    last = ordered("z", 7)
    others = [ordered("a", 0), ordered("y", 9), ordered("x", 7)]
    assert waits(last, others, {}) == ["a does not run it yet"]
    assert waits(last, others, {"a": said("ok", "e", ago_s=60), "x": said("failed", None, "e")}) == []


def test_a_failure_after_success_counts_and_success_after_failure_does_not() -> None:
    ok, failed = (Report.model_validate({"edition": e, "wants": "e", "state": s, "said": ""})
                  for s, e in (("ok", "e"), ("failed", "d")))  # fmt: skip
    long_ago = NOW - timedelta(hours=9)
    for first, then in ((ok, failed), (failed, ok)):
        standing = first_word(first, long_ago).after(then, long_ago)
        assert waits(AFTER, [ordered("a", 0)], {"a": standing}) == ["a failed at it"]


def test_saying_ok_again_does_not_begin_the_soak_time_anew() -> None:
    ok = Report.model_validate({"edition": "e", "wants": "e", "state": "ok", "said": ""})
    standing = first_word(ok, NOW - timedelta(seconds=60)).after(ok, NOW)
    assert waits(AFTER, [ordered("a", 0)], {"a": standing}) == []


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["none", "ok", "young", "failed"])), max_size=8),
    st.integers(0, 3),
)
def test_a_ring_is_open_exactly_when_all_before_it_ran_it_long_enough(
    fleet: list[tuple[int, str]], ring: int
) -> None:
    orders = [ordered(f"d{number}", each) for number, (each, _) in enumerate(fleet)]
    words = {
        "ok": said("ok", "e", ago_s=60),
        "young": said("ok", "e", ago_s=1),
        "failed": said("failed", None, "e"),
    }
    standings = {f"d{number}": words[word] for number, (_, word) in enumerate(fleet) if word in words}
    is_open = not waits(ordered("me", ring), orders, standings)
    assert is_open == all(word == "ok" for each, word in fleet if each < ring)
