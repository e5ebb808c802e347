"""Hours and days, and the bars of faces in them."""

from datetime import UTC, datetime

import pytest
from facefleet.gallery.timeline import HEIGHT, HOUR_MS, bars, hours_of, span_of

NOON = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)
HOUR = round(NOON.timestamp() * 1000) // HOUR_MS


def test_a_day_has_24_hours_and_an_hour_is_one_of_them() -> None:
    day, hour = span_of("2026-11-20", ""), span_of("2026-11-20", "12")
    assert day
    assert hour
    assert day.end_ms - day.begin_ms == 24 * HOUR_MS
    assert hour.begin_ms == HOUR * HOUR_MS
    assert hour.end_ms - hour.begin_ms == HOUR_MS
    assert span_of("", "") is None


@pytest.mark.parametrize(
    ("day", "hour"),
    [("20.11.2026", ""), ("2026-02-30", ""), ("2026-11-20", "24"), ("2026-11-20", "-1"), ("", "3")],
)
def test_what_is_no_day_or_hour_is_refused(day: str, hour: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        span_of(day, hour)


def test_without_a_day_the_last_24_hours_are_shown_this_one_among_them() -> None:
    span = hours_of("", NOON)
    assert span.end_ms == (HOUR + 1) * HOUR_MS
    assert span.end_ms - span.begin_ms == 24 * HOUR_MS


def test_the_highest_bar_is_full_and_the_lowest_is_seen() -> None:
    shown = bars({HOUR: 1000, HOUR - 1: 1, HOUR - 30: 7}, hours_of("", NOON))
    assert len(shown) == 24
    assert [bar.height for bar in shown[-2:]] == [3, HEIGHT]
    assert sum(bar.faces for bar in shown) == 1001
    assert bars({}, hours_of("", NOON))[0].height == 0
