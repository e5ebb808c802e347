"""How often a stranger may ask."""

import pytest
from facefleet.depot.pace import ADDRESSES_MOST, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(burst=5, per_s=0.5, clock=clock)


def served(pace: Pace, address: str, tries: int) -> int:
    return sum(pace.wait_s(address) == 0 for _ in range(tries))


def test_one_may_ask_some_times_at_once_and_then_at_a_pace(pace: Pace, clock: Clock) -> None:
    assert served(pace, "192.0.2.1", 9) == 5
    assert pace.wait_s("192.0.2.1") == pytest.approx(2.0)
    clock.now += 2.0
    assert served(pace, "192.0.2.1", 9) == 1
    clock.now += 3600
    assert served(pace, "192.0.2.1", 9) == 5


def test_one_does_not_shut_out_another(pace: Pace) -> None:
    assert served(pace, "192.0.2.1", 1000) == 5
    assert served(pace, "192.0.2.2", 9) == 5


def test_many_together_have_a_bound_too(pace: Pace) -> None:
    assert sum(served(pace, f"192.0.2.{number}", 5) for number in range(100)) == 5 * Pace.TOGETHER


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "no address", False),
    ],
)
def test_who_has_a_network_is_one(pace: Pace, one: str, other: str, same: bool) -> None:  # noqa: FBT001
    served(pace, one, 5)
    assert (served(pace, other, 1) == 0) is same


def test_addresses_take_bounded_room(clock: Clock) -> None:
    pace = Pace(burst=ADDRESSES_MOST, per_s=1, clock=clock)
    for number in range(ADDRESSES_MOST + 50):
        pace.wait_s(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(pace._of) == ADDRESSES_MOST
