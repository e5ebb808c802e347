"""What came is not fetched again, and counts only if its hash is right."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from facefleet.puller.depot import Absent, Depot, DepotError
from facefleet.puller.fetch import Fetcher, FetchError, Store
from facefleet.puller.order import Blob

CONTENT = bytes(range(256)) * 400
BLOB = Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


class Answer(io.BytesIO):
    """What a link brings before it drops."""

    def __init__(self, content: bytes, status: int) -> None:
        super().__init__(content)
        self.status = status


class Link:
    """A depot whose link drops after so many bytes, each time; counts what it sends."""

    def __init__(self, *pieces: int, content: bytes = CONTENT, ranges: bool = True) -> None:
        self._pieces = list(pieces)
        self._content = content
        self._ranges = ranges
        self.asked: list[int] = []
        self.sent = 0

    @contextmanager
    def blob(self, _sha256: str, start: int) -> Iterator[Any]:
        self.asked.append(start)
        if not self._ranges:
            start = 0
        piece = self._pieces.pop(0) if self._pieces else len(self._content)
        if piece == 0:
            raise DepotError("the link is down")
        part = self._content[start : start + piece]
        self.sent += len(part)
        yield Answer(part, 206 if start else 200)


def fetcher(link: Link, folder: Path, rate: int = 0, slept: list[float] | None = None) -> Fetcher:
    waits = slept if slept is not None else []
    return Fetcher(cast("Depot", link), Store(folder), lambda: rate, 60.0, waits.append)


def test_it_goes_on_where_it_stopped_and_nothing_comes_twice(tmp_path: Path) -> None:
    link = Link(30_000, 0, 20_000)
    assert fetcher(link, tmp_path).fetch([BLOB]) == len(CONTENT)
    assert link.asked == [0, 30_000, 30_000, 50_000]
    assert link.sent == len(CONTENT)
    assert (tmp_path / BLOB.sha256).read_bytes() == CONTENT
    assert fetcher(Link(), tmp_path).fetch([BLOB]) == 0


def test_the_next_run_goes_on_where_this_one_gave_up(tmp_path: Path) -> None:
    (tmp_path / f"{BLOB.sha256}.part").write_bytes(CONTENT[:40_000])
    link = Link()
    assert fetcher(link, tmp_path).fetch([BLOB]) == len(CONTENT) - 40_000
    assert link.asked == [40_000]


def test_a_depot_that_sends_all_again_is_believed(tmp_path: Path) -> None:
    link = Link(30_000, ranges=False)
    fetcher(link, tmp_path).fetch([BLOB])
    assert (tmp_path / BLOB.sha256).read_bytes() == CONTENT


def test_what_is_damaged_goes_and_says_so(tmp_path: Path) -> None:
    for content in (CONTENT[:-1] + b"x", CONTENT + b"more"):
        with pytest.raises(FetchError, match="is damaged"):
            fetcher(Link(content=content), tmp_path).fetch([BLOB])
        assert list(tmp_path.iterdir()) == []


def test_a_link_that_brings_nothing_for_long_is_left_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(0, 100_000, 50))
    monkeypatch.setattr("facefleet.puller.fetch.time.monotonic", lambda: float(next(moments)))
    with pytest.raises(FetchError, match="the link is down; 30,000 of 102,400 bytes of a blob are here"):
        fetcher(Link(30_000, *[0] * 50), tmp_path).fetch([BLOB])
    assert (tmp_path / f"{BLOB.sha256}.part").stat().st_size == 30_000


def test_a_cap_makes_it_wait_for_what_came(tmp_path: Path) -> None:
    slept: list[float] = []
    fetcher(Link(), tmp_path, rate=10_240, slept=slept).fetch([BLOB])
    assert sum(slept) == pytest.approx(10.0)


def test_a_blob_that_the_depot_lacks_says_what_to_do(tmp_path: Path) -> None:
    class Empty(Link):
        @contextmanager
        def blob(self, _sha256: str, start: int) -> Iterator[Any]:
            raise Absent(f"no blob from {start} on")
            yield

    with pytest.raises(FetchError, match="promote again"):
        fetcher(Empty(), tmp_path).fetch([BLOB])


def test_a_full_disk_is_seen_before_anything_is_fetched(tmp_path: Path) -> None:
    link = Link()
    with pytest.raises(FetchError, match="MB left and this update wants"):
        fetcher(link, tmp_path).fetch([Blob("0" * 64, 1 << 60)])
    assert link.asked == []


def test_what_nobody_wants_any_more_goes(tmp_path: Path) -> None:
    for name in (BLOB.sha256, "f" * 64, f"{'e' * 64}.part"):
        (tmp_path / name).touch()
    Store(tmp_path).keep_only([BLOB])
    assert [file.name for file in tmp_path.iterdir()] == [BLOB.sha256]
