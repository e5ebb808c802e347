"""Which pictures of a face are sent."""

import itertools
from collections.abc import Iterable

from facefleet.detector.following.shots import Candidate, Choice, Rules, Shot
from hypothesis import given
from hypothesis import strategies as st

RULES = Rules(first_s=0.8, better_by=0.25, better_after_s=3.0, most=3, repeat_s=0, least_quality=0.2)


def shots_of(qualities: Iterable[float], rules: Rules = RULES, *, step_s: float = 0.2) -> list[Shot[int]]:
    """Offer a picture every 0.2 s; its number is that of its turn."""
    choice: Choice[int] = Choice(rules, began=0.0)
    sent = []
    now = 0.0
    for turn, quality in enumerate(qualities):
        now = turn * step_s
        if choice.wants(quality):
            choice.consider(Candidate(turn, quality))
        if shot := choice.due(now):
            sent.append(shot)
    if last := choice.end(now):
        sent.append(last)
    return sent


def test_the_best_of_the_first_moments_is_sent_first() -> None:
    first = shots_of([0.3, 0.6, 0.4, 0.3, 0.3, 0.3])[0]
    assert (first.picture, first.number, first.last) == (1, 1, False)


def test_who_is_gone_before_that_is_sent_once_and_it_is_the_last() -> None:
    (only,) = shots_of([0.3, 0.6])
    assert (only.picture, only.number, only.last) == (1, 1, True)


def test_a_still_face_is_sent_twice_however_long_it_stays() -> None:
    assert [shot.number for shot in shots_of([0.5] * 1000)] == [1, 2]


def test_a_better_one_is_sent_only_if_much_better_and_later() -> None:
    assert len(shots_of([0.5] * 10 + [0.6] * 100)) == 2
    better = shots_of([0.5] * 10 + [0.7] * 100)
    assert [shot.picture for shot in better[:2]] == [0, 10]
    soon = shots_of([0.4] * 5 + [0.6] * 2)
    assert len(soon) == 2
    assert soon[1].last


def test_there_are_at_most_so_many_and_one_at_the_end() -> None:
    growing = [min(1.0, 0.21 * 1.02**turn) for turn in range(200)]
    sent = shots_of(growing)
    assert [shot.number for shot in sent] == [1, 2, 3, 4]
    assert [shot.last for shot in sent] == [False, False, False, True]


def test_the_last_is_the_best_since_the_one_before_or_the_best_again() -> None:
    assert shots_of([0.5] * 5 + [0.3, 0.4, 0.3])[-1].picture == 6
    again = shots_of([0.5] * 5 + [0.1] * 5)[-1]
    assert (again.picture, again.quality, again.number, again.last) == (0, 0.5, 2, True)


def test_who_stays_is_sent_again_whether_better_or_not_and_beside_the_better_ones() -> None:
    rules = RULES._replace(repeat_s=20.0)
    assert [shot.number for shot in shots_of([0.5] * 320, rules)] == [1, 2, 3, 4, 5]
    growing = shots_of([min(1.0, 0.21 * 1.02**turn) for turn in range(200)], rules)
    assert [shot.number for shot in growing] == [1, 2, 3, 4, 5]
    assert "still there" in growing[-2].reason


def test_a_repeat_is_nothing_bad_either() -> None:
    assert len(shots_of([0.5] * 5 + [0.1] * 1000, RULES._replace(repeat_s=20.0))) == 2


def test_of_no_quality_at_all_it_goes_on_without_harm() -> None:
    sent = shots_of([0.0] * 100, RULES._replace(least_quality=0.0))
    assert sent[-1].last


@given(
    st.lists(st.floats(0, 1), max_size=200),
    st.builds(
        Rules,
        first_s=st.floats(0, 3),
        better_by=st.floats(0, 1),
        better_after_s=st.floats(0, 5),
        most=st.integers(1, 5),
        repeat_s=st.just(0.0),
        least_quality=st.floats(0.01, 1),
    ),
)
def test_whatever_the_qualities_the_rules_are_kept(qualities: list[float], rules: Rules) -> None:
    sent = shots_of(qualities, rules)
    assert [shot.number for shot in sent] == list(range(1, len(sent) + 1))
    assert [shot.last for shot in sent] == [shot is sent[-1] for shot in sent]
    assert all(shot.quality == qualities[shot.picture] >= rules.least_quality for shot in sent)
    assert len(sent) <= rules.most + 1
    assert bool(sent) == any(quality >= rules.least_quality for quality in qualities)
    for one, better in itertools.pairwise(sent[:-1]):
        assert better.quality >= one.quality * (1 + rules.better_by)


def test_nothing_bad_is_sent() -> None:
    assert shots_of([0.1] * 100) == []


def test_silence_gives_its_reason() -> None:
    choice: Choice[int] = Choice(RULES, began=0.0)
    assert choice.due(0.0) is None
    assert "quality 0.20" in choice.silence
    choice.consider(Candidate(1, 0.5))
    assert choice.due(0.4) is None
    assert "too soon" in choice.silence
    assert choice.due(0.9)
    choice.consider(Candidate(2, 0.55))
    assert choice.due(5.0) is None
    assert "below 0.62" in choice.silence
    choice.consider(Candidate(3, 0.7))
    assert choice.due(2.0) is None
    assert "younger than 3.0 s" in choice.silence
    assert choice.due(4.0)
    assert choice.due(4.0) is None
    assert "since the last" in choice.silence


def test_a_better_one_waits_for_the_one_before_it_not_for_the_face() -> None:
    choice: Choice[int] = Choice(RULES, began=0.0)
    choice.consider(Candidate(1, 0.4))
    assert choice.due(10.0)
    choice.consider(Candidate(2, 0.8))
    assert choice.due(12.9) is None
    assert choice.due(13.0)


def test_silence_tells_when_enough_were_sent_and_when_none_was_good_enough() -> None:
    choice: Choice[int] = Choice(RULES._replace(most=1), began=0.0)
    assert choice.end(0.0) is None
    assert "left without a picture" in choice.silence
    choice.consider(Candidate(1, 0.5))
    assert choice.due(1.0)
    choice.consider(Candidate(2, 0.9))
    assert choice.due(9.0) is None
    assert choice.silence == "1 were sent"
