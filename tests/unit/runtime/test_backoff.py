"""Waits double up to a bound, and no two services wait alike."""

from facefleet.runtime.backoff import Backoff
from hypothesis import given
from hypothesis import strategies as st


@given(first_s=st.floats(0.01, 10), most_s=st.floats(0.01, 100), tries=st.integers(0, 5000))
def test_every_wait_is_between_half_and_all_of_its_bound(first_s: float, most_s: float, tries: int) -> None:
    ceiling = most_s if tries > 60 else min(first_s * 2**tries, most_s)
    wait = Backoff(first_s, most_s, tries).next_s()
    assert 0.5 * ceiling <= wait <= ceiling


def test_waits_grow_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(first_s=1, most_s=8)
    waits = [backoff.next_s() for _ in range(10)]
    assert waits[0] <= 1 <= waits[1] <= 2 <= waits[2] <= 4 <= waits[3] <= 8
    assert all(4 <= wait <= 8 for wait in waits[3:])
    backoff.reset()
    assert backoff.next_s() <= 1


def test_two_services_do_not_wait_alike() -> None:
    assert len({Backoff(1).next_s() for _ in range(10)}) > 1
