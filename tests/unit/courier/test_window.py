"""The window grows with receipts, shrinks without them, and keeps between 1 and what both sides allow."""

from facefleet.courier.window import FIRST, Window
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(1, 1000), st.integers(1, 65535), st.lists(st.sampled_from(["grow", "shrink", "close"])))
def test_it_keeps_its_bounds(most: int, receive_maximum: int, happenings: list[str]) -> None:
    window = Window(most)
    window.begin(receive_maximum)
    for happening in happenings:
        getattr(window, happening)()
        assert 1 <= window.size <= min(most, receive_maximum)


def test_it_doubles_with_each_round_of_receipts() -> None:
    window = Window(500)
    for rounds in range(1, 4):
        for _ in range(window.size):
            window.grow()
        assert window.size == FIRST * 2**rounds


def test_without_receipts_it_is_halved_down_to_one() -> None:
    window = Window(500)
    sizes = []
    while window.size > 1:
        window.shrink()
        sizes.append(window.size)
    assert sizes == [8, 4, 2, 1]


def test_a_new_connection_begins_anew() -> None:
    window = Window(500)
    for _ in range(400):
        window.grow()
    window.begin(10)
    assert window.size == 10
