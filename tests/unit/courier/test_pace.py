"""A cap on bytes a second holds over any stretch of time."""

import pytest
from facefleet.courier.pace import BURST_S, Pace
from hypothesis import given
from hypothesis import strategies as st


def test_without_a_cap_nothing_waits() -> None:
    pace = Pace(0)
    pace.take(10**9)
    assert pace.wait_s(0.0) == 0.0


@given(st.integers(1000, 10**6), st.lists(st.integers(1, 10**5), min_size=1, max_size=50))
def test_what_is_sent_is_never_more_than_the_rate_and_one_burst(rate: int, sizes: list[int]) -> None:
    pace = Pace(rate)
    now, sent = 100.0, 0
    for size in sizes:
        now += pace.wait_s(now)
        assert pace.wait_s(now) == pytest.approx(0.0, abs=1e-6)
        assert sent <= (now - 100.0) * rate + rate * BURST_S + 1
        pace.take(size)
        sent += size


def test_a_long_silence_saves_up_one_burst_only() -> None:
    pace = Pace(1000)
    pace.wait_s(0.0)
    pace.wait_s(3600.0)
    pace.take(1250)
    assert pace.wait_s(3600.0) == pytest.approx(1.0)
