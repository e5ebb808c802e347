"""Who is followed, and for how long."""

from collections.abc import Sequence

import pytest
from facefleet.detector.finding.face import Face
from facefleet.detector.following.tracker import Followed, Limits, Track, Tracker
from facefleet.messaging.event import Box
from hypothesis import given
from hypothesis import strategies as st

SIZE = (640, 480)
LIMITS = Limits(start=0.75, hits=2, lost_s=1.5)
STEP_S = 0.2


def face(x: int, y: int = 200, *, score: float = 0.9, width: int = 60) -> Face:
    return Face(Box(x, y, width, width), score)


def follow(looks: Sequence[Sequence[Face]], tracker: Tracker | None = None) -> list[Followed]:
    tracker = tracker or Tracker(LIMITS)
    return [tracker.follow(faces, n * STEP_S, SIZE) for n, faces in enumerate(looks)]


def tracks_of(followed: Sequence[Followed]) -> list[Track]:
    unique: list[Track] = []
    for each in followed:
        unique += [track for track in each.seen if track not in unique]
    return unique


def test_a_face_counts_from_its_second_find_on() -> None:
    first, second = follow([[face(100)], [face(104)]])
    assert not first.seen
    assert len(second.seen) == 1


def test_what_is_found_once_is_nobody() -> None:
    looks = follow([[face(100)], [], [], [], []])
    assert not tracks_of(looks)
    assert not any(look.gone for look in looks)


def test_an_unsure_face_goes_on_with_a_track_and_begins_none() -> None:
    assert not tracks_of(follow([[face(100, score=0.6)]] * 5))
    looks = follow([[face(100)], [face(102)], [face(104, score=0.55)], [face(106, score=0.55)]])
    (track,) = tracks_of(looks)
    assert track.hits == 4


def test_who_walks_is_one_track() -> None:
    assert len(tracks_of(follow([[face(30 + 45 * n)] for n in range(12)]))) == 1


def test_who_is_hidden_for_a_moment_is_found_again_where_the_way_leads() -> None:
    looks = [[face(30 + 40 * n)] for n in range(5)]
    looks += [[], []]
    looks += [[face(30 + 40 * n)] for n in range(7, 10)]
    assert len(tracks_of(follow(looks))) == 1


def test_two_who_pass_each_other_stay_two() -> None:
    looks = [[face(100 + 30 * n, 180), face(400 - 30 * n, 260)] for n in range(10)]
    tracks = tracks_of(follow(looks))
    assert len(tracks) == 2
    ends = sorted((track.face.box.x, track.face.box.y) for track in tracks)
    assert ends == [(130, 260), (370, 180)]


def test_who_is_not_found_for_long_enough_is_gone_once() -> None:
    looks = follow([[face(300)]] * 3 + [[]] * 12)
    gone = [(n * STEP_S, track) for n, look in enumerate(looks) for track in look.gone]
    ((when, track),) = gone
    assert round(when - track.seen, 1) >= LIMITS.lost_s


def test_time_alone_ends_no_track_when_nobody_looked() -> None:
    tracker = Tracker(LIMITS)
    follow([[face(300)]] * 3, tracker)
    assert not tracker.follow([], 60.0, SIZE).gone
    assert tracker.unsettled


def test_who_leaves_the_picture_is_gone_at_once_and_the_next_who_comes_is_another() -> None:
    looks = [[face(400 + 40 * n)] for n in range(5)]  # on the way out, to the right
    looks += [[face(560 - 40 * n, 190)] for n in range(5)]  # another one comes in there
    followed = follow(looks)
    assert len(tracks_of(followed)) == 2
    assert sum(len(look.gone) for look in followed) == 1


def test_who_leaves_slowly_cut_by_the_edge_is_not_who_comes_in_there_a_second_later() -> None:
    def cut(x: int, y: int) -> Face:
        return Face(Box(max(0, x), y, 60 + min(0, x), 60), 0.9)

    looks = [[cut(30 - 8 * n, 200)] for n in range(7)]  # half a face is left of it
    looks += [[]] * 4
    looks += [[cut(-10 + 20 * n, 220)] for n in range(5)]
    followed = follow(looks)
    assert len(tracks_of(followed)) == 2
    assert [len(look.gone) for look in followed].index(1) == 7


def test_who_comes_in_where_another_goes_out_at_that_moment_is_another() -> None:
    # Of a composed clip: the finder's box stays clear of the edge, and both faces lie over each other.
    boxes = [(46, 250, 54), (34, 250, 54), (22, 250, 54), (10, 250, 52), (6, 247, 48), (8, 250, 41)]
    boxes += [(17, 254, 41), (30, 250, 39), (43, 256, 38), (54, 257, 38)]
    looks = follow([[face(x, y, width=width)] for x, y, width in boxes])
    assert len(tracks_of(looks)) == 2
    assert sum(len(look.gone) for look in looks) == 1


def test_who_goes_out_is_the_same_down_to_the_last_sliver() -> None:
    slivers = [Face(Box(x, 200, 640 - x, 60), 0.9) for x in (585, 597, 609)]
    looks = follow([[face(500 + 20 * n)] for n in range(4)] + [[sliver] for sliver in slivers] + [[]] * 4)
    assert len(tracks_of(looks)) == 1
    assert sum(len(look.gone) for look in looks) == 1


def test_who_sways_at_the_edge_stays() -> None:
    looks = follow([[face(570 + x)] for x in (0, 6, 12, 6, 0, 6, 12, 6, 0) * 3])
    assert len(tracks_of(looks)) == 1


def test_who_stands_at_the_edge_stays() -> None:
    looks = follow([[face(575 + n % 2)] for n in range(10)])
    assert len(tracks_of(looks)) == 1
    assert not any(look.gone for look in looks)


def test_who_jumps_without_a_way_that_leads_there_is_another() -> None:
    assert len(tracks_of(follow([[face(30)]] * 5 + [[], []] + [[face(310)]] * 3))) == 2


def test_of_two_near_each_other_each_goes_on_where_it_was() -> None:
    looks = follow([[face(100 + 3 * n), face(180 + 3 * n)][:: 1 if n % 2 else -1] for n in range(20)])
    assert sorted(track.face.box.x for track in tracks_of(looks)) == [157, 237]


def test_one_of_two_leaves_and_the_other_goes_on() -> None:
    both, one = [face(100), face(300)], [face(300)]
    looks = follow([both] * 3 + [one] * 12)
    ((gone,),) = [look.gone for look in looks if look.gone]
    assert gone.face.box.x == 100
    assert len(looks[-1].seen) == 1


def test_a_sure_face_has_its_track_before_an_unsure_one_has_it() -> None:
    sure, unsure = face(130, score=0.8), face(101, score=0.6)
    (track,) = tracks_of(follow([[face(100)], [face(100)], [unsure, sure]]))
    assert track.face is sure


def test_its_score_is_the_mean_of_all() -> None:
    (track,) = tracks_of(follow([[face(100, score=score)] for score in (0.9, 0.6, 0.6)]))
    assert track.score == pytest.approx(0.7)


@pytest.mark.parametrize("lost_s", [0.0, 0.2])
def test_who_is_missed_less_than_three_times_is_not_gone_however_short_the_patience(lost_s: float) -> None:
    looks = follow([[face(300)]] * 2 + [[]] * 6, Tracker(LIMITS._replace(lost_s=lost_s)))
    assert [len(look.gone) for look in looks] == [0, 0, 0, 0, 1, 0, 0, 0]


def test_with_nobody_or_all_found_nothing_is_unsettled() -> None:
    tracker = Tracker(LIMITS)
    told: list[bool] = []
    for faces in ([], [face(100)], [face(100)], [], [face(100)]):
        tracker.follow(faces, len(told) * STEP_S, SIZE)
        told.append(tracker.unsettled)
    assert told == [False, True, False, True, False]


faces_anywhere = st.builds(
    face,
    st.integers(0, 600),
    st.integers(0, 440),
    score=st.sampled_from([0.5, 0.7, 0.8, 0.95]),
    width=st.integers(30, 120),
)


@given(st.lists(st.lists(faces_anywhere, max_size=5), max_size=30))
def test_whoever_comes_each_face_has_one_track_and_each_track_one_end(looks: list[list[Face]]) -> None:
    tracker = Tracker(LIMITS)
    ended: list[Track] = []
    for faces, (seen, gone) in zip(looks, follow(looks, tracker), strict=True):
        assert len({id(track) for track in seen}) == len(seen)
        assert all(track.hits >= LIMITS.hits for track in [*seen, *gone])
        assert not any(track in ended for track in [*seen, *gone])
        assert len(seen) <= len(faces)
        ended += gone
    assert not any(track in ended for track in tracker.end())


def test_a_much_larger_face_is_another() -> None:
    assert len(tracks_of(follow([[face(100)]] * 3 + [[face(100, width=200)]] * 3))) == 2


def test_the_end_tells_who_was_there() -> None:
    tracker = Tracker(LIMITS)
    follow([[face(100), face(400)], [face(100), face(400)], [face(100), face(400), face(250)]], tracker)
    assert tracker.present == 2
    assert len(tracker.end()) == 2
    assert tracker.present == 0
