"""Any bytes are an answer or a broken one, however they are cut into pieces."""

import itertools

import pytest
from facefleet.storage.answer import BODY_MOST_BYTES, HEAD_MOST_BYTES, Answer, BrokenAnswerError, read_answer
from hypothesis import given
from hypothesis import strategies as st

ERROR = b"<?xml version='1.0'?>\n<Error><Code>SlowDown</Code><Message>m</Message></Error>"


def read(data: bytes, piece: int = 65536) -> Answer:
    pieces = itertools.chain(
        (data[start : start + piece] for start in range(0, len(data), piece)), itertools.repeat(b"")
    )
    return read_answer(lambda _size: next(pieces))


def whole(status: int, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Some words", *headers, "", ""]).encode() + body


@pytest.mark.parametrize("piece", [1, 2, 7, 65536])
def test_an_answer_may_come_in_any_pieces(piece: int) -> None:
    said = whole(503, "Content-Length: " + str(len(ERROR)), 'ETag:  "x" ', body=ERROR)
    found = read(said, piece)
    assert (found.status, found.code, found.header("etag"), found.lasting) == (503, "SlowDown", '"x"', True)


@pytest.mark.parametrize("piece", [1, 3, 65536])
def test_a_chunked_body_is_joined(piece: int) -> None:
    half = len(ERROR) // 2
    chunks = b"%x;name=value\r\n%s\r\n%X\r\n%s\r\n0\r\nTrailer: x\r\n\r\n" % (
        half, ERROR[:half], len(ERROR) - half, ERROR[half:],
    )  # fmt: skip
    found = read(whole(500, "Transfer-Encoding: Chunked", body=chunks), piece)
    assert (found.body, found.lasting) == (ERROR, True)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    found = read(whole(500, body=ERROR))
    assert (found.body, found.lasting) == (ERROR, False)


def test_what_is_said_in_the_meantime_is_passed_over() -> None:
    assert read(whole(100) + whole(102, "X: y") + whole(200, "Content-Length: 0")).status == 200
    with pytest.raises(BrokenAnswerError, match="only ever"):
        read(whole(100) * 10)


@pytest.mark.parametrize("status", [204, 304])
def test_some_have_no_body(status: int) -> None:
    assert read(whole(status, "Content-Length: 7")).body == b""


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        whole(200, "Content-Length: 0", "Connection: Close"),
        whole(200, "Content-Length: 0", body=b"more than it said"),
        whole(200, f"Content-Length: {BODY_MOST_BYTES + 1}", body=bytes(BODY_MOST_BYTES + 1)),
        whole(200, body=bytes(5 * BODY_MOST_BYTES)),
        whole(200, "Transfer-Encoding: chunked", body=b"ffffff\r\n" + bytes(100)),
    ],
    ids=["1.0", "close", "too much", "long", "endless", "long chunk"],
)
def test_after_some_answers_the_connection_is_of_no_more_use(said: bytes) -> None:
    found = read(said)
    assert found.status == 200
    assert not found.lasting
    assert len(found.body) <= BODY_MOST_BYTES


@pytest.mark.parametrize(
    ("said", "reason", "begun"),
    [
        (b"", "before any answer", False),
        (b"HTTP/1.1 200", "in its head", True),
        (whole(200, "Content-Length: 5", body=b"abc"), "in its body", True),
        (whole(200, "Transfer-Encoding: chunked", body=b"5\r\nabc"), "in its body", True),
        (whole(200, "Transfer-Encoding: chunked", body=b"x\r\n"), "has no size", True),
        (whole(200, "Transfer-Encoding: chunked", body=b"1\r\nab\r\n"), "longer than it says", True),
        (whole(200, "Content-Length: -1"), "content length", True),
        (whole(200, "Content-Length: 1, 1"), "content length", True),
        (whole(200, "no colon"), "no colon", True),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "not HTTP", True),
        (b"HTTP/2 200 OK\r\n\r\n", "not HTTP", True),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * HEAD_MOST_BYTES, "longer than", True),
    ],
)
def test_a_broken_answer_is_told_with_its_reason(said: bytes, reason: str, begun: bool) -> None:  # noqa: FBT001
    with pytest.raises(BrokenAnswerError, match=reason) as broken:
        read(said)
    assert broken.value.begun is begun


heads = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n", b"HTTP/1.1 100 X\r\n", b""]
)
pieces = st.sampled_from([b"\r\n", b"\r\n\r\n", b"Content-Length: 3\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"])


@given(st.tuples(heads, st.lists(pieces | st.binary(max_size=30), max_size=8).map(b"".join)).map(b"".join))
def test_any_bytes_at_all_are_an_answer_or_a_broken_one(data: bytes) -> None:
    try:
        found = read(data, 5)
    except BrokenAnswerError:
        return
    assert 200 <= found.status <= 599
    # What comes after an answer spoils the connection, and is seen only if it comes with it.
    at_once = read(data)
    assert at_once == (found._replace(lasting=False) if found.lasting and not at_once.lasting else found)


def test_what_comes_after_an_answer_is_seen_only_if_it_comes_with_it() -> None:
    said = whole(200, "Content-Length: 3", body=b"abc" + b"more")
    assert not read(said).lasting
    assert read(said, len(said) - 4).lasting
