"""Receipts say what became of which message, and junk says nothing."""

import pytest
from facefleet.messaging.receipts import Answer, MalformedReceiptError, decode, encode
from hypothesis import given
from hypothesis import strategies as st

ANSWERS = st.dictionaries(st.sampled_from(Answer), st.lists(st.binary(min_size=1, max_size=64), max_size=5))


@given(ANSWERS)
def test_what_is_written_is_read(answers: dict[Answer, list[bytes]]) -> None:
    read = decode(encode(answers))
    assert sorted(read, key=repr) == sorted(
        [(answer, each) for answer, those in answers.items() for each in those], key=repr
    )


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_junk_is_refused_and_nothing_else_happens(payload: bytes) -> None:
    try:
        decode(payload)
    except MalformedReceiptError:
        return


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b'{"stored": 7}', b'{"stored": [7]}', b'{"stored": ["xy"]}', b"[" * 100_000]
)
def test_what_is_json_and_no_receipts_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedReceiptError):
        decode(payload)


def test_an_answer_that_we_do_not_know_is_left_out() -> None:
    assert decode(b'{"stored": ["00ff"], "later": ["01"]}') == [(Answer.STORED, b"\x00\xff")]
