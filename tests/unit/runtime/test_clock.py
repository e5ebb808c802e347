"""A clock is known to be right when something has set it and it is no time before the release."""

import ctypes
import time

import pytest
from facefleet.runtime import clock


def kernel_says_wrong() -> bool:
    return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) == 5)


def test_it_agrees_with_the_kernel() -> None:
    assert clock.known_right() is not kernel_says_wrong()


@pytest.mark.parametrize(("said", "right"), [(0, True), (4, True), (5, False), (-1, False)])
def test_what_the_kernel_says_counts(monkeypatch: pytest.MonkeyPatch, said: int, *, right: bool) -> None:
    class Kernel:
        def adjtimex(self, _timex: object) -> int:
            return said

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: Kernel())
    assert clock.known_right() is right


def test_the_operators_word_counts_where_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert clock.standing("kernel") == "unsynchronized"
    assert clock.standing("trusted") == "right"


def test_1970_is_wrong_whatever_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert not clock.known_right()
