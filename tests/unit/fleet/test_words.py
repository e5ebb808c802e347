"""Amounts in few letters."""

import pytest
from facefleet.fleet.words import size, span, standing


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119.4, "119s"),
        (120, "2m"),
        (7199, "119m"),
        (7200, "2h"),
        (172_800, "2d"),
        (9e7, "1041d"),
    ],
)
def test_a_span_has_a_number_that_says_something(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.0K"),
        (700_000, "684K"),
        (1 << 30, "1.0G"),
        (60 << 30, "60G"),
        (1 << 45, "32.0T"),
    ],
)
def test_a_size_has_one_too(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (("ok", "0a1b", "0a1b"), "runs edition 0a1b"),
        (("waiting", "0a1b", "0a1b"), "runs edition 0a1b, waiting"),
        (("fetching", "0a1b", "2c3d"), "runs edition 0a1b, fetching 2c3d"),
        (("waiting", None, None), "runs no edition yet, waiting"),
    ],
)
def test_how_a_device_stands_is_said_in_one_breath(
    said: tuple[str, str | None, str | None], text: str
) -> None:
    assert standing(*said) == text
