"""Which bytes are asked for."""

import pytest
from facefleet.depot.ranges import Span, UnsatisfiableError, span_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, Span(0, 10, is_part=False)),
        ("bytes=0-", Span(0, 10, is_part=True)),
        ("bytes=4-", Span(4, 10, is_part=True)),
        ("bytes=4-4", Span(4, 5, is_part=True)),
        ("bytes=4-99", Span(4, 10, is_part=True)),
        ("bytes=-3", Span(7, 10, is_part=True)),
        ("bytes=-99", Span(0, 10, is_part=True)),
        # What is no single range of bytes is not honoured.
        ("bytes=5-4", Span(0, 10, is_part=False)),
        ("bytes=0-1,3-4", Span(0, 10, is_part=False)),
        ("bytes=-", Span(0, 10, is_part=False)),
        ("bytes=x-", Span(0, 10, is_part=False)),
        ("bytes=" + "9" * 40 + "-", Span(0, 10, is_part=False)),
        ("lines=0-", Span(0, 10, is_part=False)),
    ],
)
def test_a_range_is_read(header: str | None, span: Span) -> None:
    assert span_of(header, 10) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-", 10), ("bytes=0-", 0), ("bytes=-0", 5)]
)
def test_what_begins_after_the_end_cannot_be_given(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(header, size)


@given(st.binary(min_size=1, max_size=50), st.data())
def test_parts_from_where_it_broke_off_make_the_whole(content: bytes, data: st.DataObject) -> None:
    got = b""
    while len(got) < len(content):
        span = span_of(f"bytes={len(got)}-", len(content))
        part = content[span.first : span.end]
        got += part[: data.draw(st.integers(1, len(part)))]
    assert got == content
