"""The index says what the bucket holds, and nothing that it held."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from facefleet.gallery.face import Face, Traits
from facefleet.gallery.index import ALL, Index
from facefleet.gallery.live import read_notice
from facefleet.gallery.timeline import HOUR_MS, Span
from facefleet.gallery.web.query import NEWEST
from facefleet.storage.faces import Camera
from hypothesis import given
from hypothesis import strategies as st

DOOR, YARD = Camera("jetson-01", "door"), Camera("jetson-01", "yard")
TRAITS = Traits(4, 1, 0.5, last=True)


def face(number: int, camera: Camera = DOOR, traits: Traits | None = TRAITS) -> Face:
    return Face(camera, f"{number:05d}.png", number * 1000, traits)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "index.db")
    yield made
    made.close()


def test_the_newest_come_first_from_a_place_on(index: Index) -> None:
    index.add(face(number, camera) for number in range(10) for camera in (DOOR, YARD))
    assert [each.time_ms for each in index.newest(None, ALL, NEWEST, 3)] == [9000, 9000, 8000]
    first = index.newest([YARD], ALL, NEWEST, 4)
    second = index.newest([YARD], ALL, (first[-1].time_ms, first[-1].name), 10)
    assert [each.time_ms // 1000 for each in first + second] == list(range(9, -1, -1))
    assert len(index.newest([DOOR, YARD], Span(2000, 4000), NEWEST, 10)) == 4
    assert index.newest([Camera("no", "such")], ALL, NEWEST, 10) == []
    assert index.newest([], ALL, NEWEST, 10) == []


def test_faces_of_one_moment_are_all_shown_over_pages(index: Index) -> None:
    index.add(face(1)._replace(name=f"{n}.png") for n in range(10))
    seen: list[str] = []
    before = NEWEST
    while page := index.newest(None, ALL, before, 3):
        seen += [each.name for each in page]
        before = (page[-1].time_ms, page[-1].name)
    assert sorted(seen) == [f"{n}.png" for n in range(10)]
    assert len(set(seen)) == 10


def test_what_is_told_twice_is_noted_once_and_its_traits_are_kept(index: Index) -> None:
    index.add([face(1, traits=None)])
    assert index.without_traits(5) == [face(1, traits=None)]
    index.add([face(1)])
    index.add([face(1, traits=None)])
    assert index.find(face(1)) == face(1)
    assert index.without_traits(5) == []
    assert len(index.newest(None, ALL, NEWEST, 9)) == 1


def test_a_sweep_takes_what_is_gone_and_leaves_what_is_younger_than_the_listing(index: Index) -> None:
    index.add(face(number) for number in range(6))
    index.add([face(2, YARD)])
    mark = index.mark()
    index.add([face(9)])
    assert index.sweep(DOOR, ("00000.png", "00005.png"), ["00002.png"], mark) == 4
    assert index.sweep(DOOR, ("00005.png", "\x7f"), [], mark) == 0
    assert [each.name for each in index.newest([DOOR], ALL, NEWEST, 9)] == [
        "00009.png",
        "00002.png",
        "00000.png",
    ]
    assert index.newest([YARD], ALL, NEWEST, 9)


def test_neighbours_and_what_is_around(index: Index) -> None:
    index.add(face(number) for number in (1, 5, 9))
    index.add([face(6, YARD)])
    before, after = index.neighbours(face(5))
    assert (before, after) == (face(1), face(9))
    assert index.neighbours(face(1))[0] is None
    assert [each.time_ms for each in index.around(face(5), 4000)] == [9000, 5000, 1000]


def test_faces_are_counted_by_the_hour(index: Index) -> None:
    hour = Face(DOOR, "x.png", HOUR_MS, TRAITS)
    index.add(
        [
            hour,
            hour._replace(name="y.png", time_ms=2 * HOUR_MS - 1),
            hour._replace(name="z.png", time_ms=2 * HOUR_MS),
        ]
    )
    index.add([hour._replace(camera=YARD)])
    span = Span(0, 3 * HOUR_MS)
    assert index.per_hour(None, span) == {1: 3, 2: 1}
    assert index.per_hour([DOOR], span) == {1: 2, 2: 1}
    assert index.per_hour([DOOR, YARD], Span(HOUR_MS, 2 * HOUR_MS)) == {1: 3}


def test_an_index_of_another_version_or_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "index.db"
    for content in (b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000):
        file.write_bytes(content)
        index = Index(file)
        assert index.empty
        assert index.cameras() == []
        index.add([face(1)])
        index.close()
        again = Index(file)
        assert again.cameras() == [DOOR]
        again.close()


def test_a_notice_is_of_its_own_topic() -> None:
    key = "faces/jetson-01/door/2026/11/22/20261122T075001.123Z-0a1b.png"
    notice = json.dumps(
        {"key": key, "attributes": {"track": "4", "quality": "0.5", "shot": "1", "last": "true"}}
    ).encode()
    found = read_notice("stored/jetson-01/door", notice)
    assert found
    assert (found.key, found.traits) == (key, TRAITS)
    assert read_notice("stored/jetson-02/door", notice) is None


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    ).map(lambda x: json.dumps(x).encode())
)
def test_whatever_comes_as_a_notice_harms_nothing(payload: bytes) -> None:
    assert read_notice("stored/a/b", payload) is None
