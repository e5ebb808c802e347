"""When a picture is searched, and why."""

import pytest
from facefleet.detector.cadence import IDLE_S, STILL_S, Cadence


def searched_before() -> Cadence:
    cadence = Cadence()
    cadence.searched(0.0)
    return cadence


def test_the_first_picture_is_searched_whatever_it_shows() -> None:
    assert Cadence().due(0.0, moved=False, present=False, missing=False) == "first"


@pytest.mark.parametrize(
    ("now", "moved", "present", "missing", "why"),
    [
        (0.2, True, False, False, "motion"),
        (0.2, True, True, True, "motion"),
        (0.2, False, False, True, "missing"),
        (0.2, False, True, True, "missing"),
        (STILL_S - 0.1, False, True, False, ""),
        (STILL_S, False, True, False, "still there"),
        (IDLE_S - 0.1, False, False, False, ""),
        (IDLE_S, False, False, False, "long ago"),
    ],
)
def test_it_is_searched_for_a_reason(
    now: float, why: str, *, moved: bool, present: bool, missing: bool
) -> None:
    assert searched_before().due(now, moved=moved, present=present, missing=missing) == why


def test_time_counts_from_the_last_search_not_from_the_last_look() -> None:
    cadence = searched_before()
    looks = [at / 5 for at in range(1, 60)]
    found = []
    for now in looks:
        if cadence.due(now, moved=False, present=False, missing=False):
            cadence.searched(now)
            found.append(now)
    assert found == [5.0, 10.0]
