"""What a selection means, and that no folder is passed over, or taken whole, wrongly."""

from datetime import UTC, datetime, timedelta

import pytest
from facefleet.forget.selection import Reach, SelectionError, select, time_of
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DEVICES = ("jetson-07", "jetson-070", "jetson-7")
CAMERAS = ("lobby", "lobby-2", "lob")


def face(device: str, camera: str, time: datetime) -> str:
    stamp = f"{time:%Y%m%dT%H%M%S}.{time.microsecond // 1000:03d}Z"
    return f"faces/{device}/{camera}/{time:%Y/%m/%d}/{stamp}-0a1b.png"


def probe(device: str, time: datetime) -> str:
    return f"probes/{device}/{time:%Y%m%dT%H%M%S}.000Z-0a1b.png"


years = datetime(2024, 1, 1), datetime(2027, 12, 31)  # noqa: DTZ001 - hypothesis wants them bare
times = st.datetimes(*years, timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
keys = st.one_of(
    st.builds(face, st.sampled_from(DEVICES), st.sampled_from(CAMERAS), times),
    st.builds(probe, st.sampled_from(DEVICES), times),
    st.builds("dead-letter/{}/{}/ab12".format, st.sampled_from(DEVICES), st.sampled_from(CAMERAS)),
    st.sampled_from(
        ["faces/x.png", "faces/jetson-07/y", "faces/jetson-07/lobby/2026/13/40/z", "other/jetson-07/lobby/q"]
    ),
)
edges = st.one_of(
    st.just(""), st.dates(NOW.date().replace(year=2024)).map(str), times.map(datetime.isoformat)
)


@given(st.sampled_from(("", *DEVICES)), st.sampled_from(("", *CAMERAS)), edges, edges, st.lists(keys), times)
def test_a_walk_finds_what_is_meant_and_nothing_else(  # noqa: PLR0917 - hypothesis gives them by place
    device: str, camera: str, begin: str, end: str, present: list[str], modified: datetime
) -> None:
    try:
        chosen = select(device=device, camera=camera, begin=begin, end=end)
    except SelectionError:
        return

    def walk(folder: str) -> set[str]:
        """As the bucket is walked, with a set in the bucket's place."""
        here = {key for key in present if key.startswith(folder)}
        match chosen.reach(folder):
            case Reach.NONE:
                return set()
            case Reach.ALL:
                return here
            case Reach.SOME:
                below = {key[: key.index("/", len(folder)) + 1] for key in here if "/" in key[len(folder) :]}
                direct = {key for key in here if "/" not in key[len(folder) :]}
                found = {key for key in direct if chosen.means(key, modified)}
                return found.union(*(walk(each) for each in below))

    found = set().union(*(walk(root) for root in chosen.roots))
    for key in present:
        area, *names = key.split("/")[:-1]
        moment = time_of(key, modified)
        wanted = (
            area in {"faces", "dead-letter", "probes"}
            and (not device or names[:1] == [device])
            and (not camera or (area != "probes" and names[1:2] == [camera]))
            and (not chosen.begin or chosen.begin <= moment)
            and (not chosen.end or moment < chosen.end)
        )
        assert (key in found) is wanted, key


def test_what_lies_where_no_face_of_ours_does_is_of_its_folders_time() -> None:
    """Found by chance: the walk left out the year 2026, and the object's own time said 2024."""
    taken = datetime(2024, 5, 1, tzinfo=UTC)
    assert time_of("faces/jetson-07/lobby/2026/13/40/z", taken).year == 2026
    assert time_of("faces/jetson-07/lobby/z", taken) == taken
    assert time_of("dead-letter/jetson-07/lobby/2026/01/01/z", taken) == taken


def test_a_camera_is_not_one_whose_name_begins_alike() -> None:
    chosen = select(device="jetson-07", camera="lobby")
    assert chosen.means(face("jetson-07", "lobby", NOW), NOW)
    assert not chosen.means(face("jetson-07", "lobby-2", NOW), NOW)
    assert not chosen.means(face("jetson-070", "lobby", NOW), NOW)
    assert chosen.reach("faces/jetson-07/lobby-2/") is Reach.NONE
    assert chosen.roots == ["faces/jetson-07/lobby/", "dead-letter/jetson-07/lobby/"]


def test_a_span_has_its_first_moment_and_not_its_last() -> None:
    chosen = select(begin="2026-11-01", end="2026-11-08")
    first, last = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC)
    millisecond = timedelta(milliseconds=1)
    assert chosen.means(face("a", "b", first), NOW)
    assert not chosen.means(face("a", "b", first - millisecond), NOW)
    assert chosen.means(face("a", "b", last - millisecond), NOW)
    assert not chosen.means(face("a", "b", last), NOW)


def test_a_span_over_months_walks_only_the_days_at_its_ends() -> None:
    chosen = select(device="a", camera="b", begin="2025-11-30T12:00", end="2026-02-02")
    reach = {
        folder: chosen.reach(f"faces/a/b/{folder}/").name
        for folder in (
            "2024",
            "2025",
            "2025/11",
            "2025/11/29",
            "2025/11/30",
            "2025/12",
            "2026",
            "2026/01",
            "2026/02",
            "2026/02/01",
            "2026/02/02",
            "2027",
        )
    }
    assert reach == {
        "2024": "NONE",
        "2025": "SOME",
        "2025/11": "SOME",
        "2025/11/29": "NONE",
        "2025/11/30": "SOME",
        "2025/12": "ALL",
        "2026": "SOME",
        "2026/01": "ALL",
        "2026/02": "SOME",
        "2026/02/01": "ALL",
        "2026/02/02": "NONE",
        "2027": "NONE",
    }


def test_a_dead_letter_goes_by_when_the_bucket_took_it() -> None:
    chosen = select(begin="2026-11-25", end="2026-11-26")
    assert chosen.means("dead-letter/a/b/ff", NOW)
    assert not chosen.means("dead-letter/a/b/ff", NOW - timedelta(days=1))


def test_a_time_of_another_zone_is_understood() -> None:
    assert str(select(begin="2026-11-01T01:30:00+02:00")) == "all devices, from 2026-10-31T23:30:00Z"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "nothing is selected"),
        ({"camera": "lobby"}, "needs its device"),
        ({"device": "jetson/07"}, "is impossible"),
        ({"device": "a", "camera": "../b"}, "is impossible"),
        ({"begin": "2026-11-31"}, "is no time"),
        ({"end": "yesterday"}, "is no time"),
        ({"begin": "0001-01-01T00:00:00+14:00"}, "is no time"),
        ({"begin": "2026-11-08", "end": "2026-11-01"}, "not after its begin"),
        ({"begin": "2026-11-08", "end": "2026-11-08"}, "not after its begin"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(given: dict[str, str], said: str) -> None:
    with pytest.raises(SelectionError, match=said):
        select(**given)
