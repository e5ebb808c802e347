"""What is to be reached, and what was."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.detector.accuracy import Tables
from tests.bench.detector.line import Line
from tests.bench.table import Target, say

RECALL = 0.97
ONE_TRACK = 0.9
"""Of the visits."""


class Goal(NamedTuple):
    """Of the clips of a kind, a figure at least or at most so much."""

    kind: str
    figure: str
    target: Target


_SIZES = ("1080p", "720p", "480p")
GOALS = [
    Goal("busy 1080p", "cpu ratio", Target("at least", 40)),
    Goal("busy 720p", "cpu ratio", Target("at least", 30)),
    Goal("busy 480p", "cpu ratio", Target("at least", 8)),
    Goal("idle 1080p", "cpu ratio", Target("at least", 50)),
    Goal("idle 1080p", "per decoding", Target("at most", 1.6)),
    *(Goal(f"busy {size}", "message ratio", Target("at least", 20)) for size in _SIZES),
    Goal("mixed 720p", "message ratio", Target("at least", 80)),
    Goal("still 480p", "message ratio", Target("at least", 40)),
    *(Goal(f"busy {size}", "byte ratio", Target("at least", 50)) for size in _SIZES),
]


def say_goals(lines: Sequence[Line], tables: Tables) -> int:
    """Say what was reached on the clips that nothing was tuned on; return how many goals were not."""
    told = [line for line in lines if not line.clip.tuned_on]
    results: list[tuple[str, bool]] = []
    for goal in GOALS:
        values = [line.figures[goal.figure] for line in told if line.clip.kind == goal.kind]
        if values:
            found = statistics.median(values)
            target = goal.target
            text = f"{goal.kind}, {goal.figure}: {found:.2f}, {target.kind} {target.value:g}"
            results.append((text, target.holds(found)))
    whole = tables["training"]["as they are"]["ours"] + tables["testing"]["as they are"]["ours"]
    results.append((f"labelled faces: recall {whole.recall:.3f}, at least {RECALL}", whole.recall >= RECALL))
    results.append((f"labelled faces: {whole.false} false, at most 1", whole.false <= 1))
    verdicts = [line.verdict for line in told if line.verdict]
    if verdicts:
        visits = sum(each.visits for each in verdicts)
        single = sum(each.in_one_track for each in verdicts) / visits
        unseen = sum(each.unseen for each in verdicts)
        false = sum(each.false_shots for each in verdicts)
        results.append(
            (f"{visits} visits: {single:.0%} in one track, at least {ONE_TRACK:.0%}", single >= ONE_TRACK)
        )
        results.append((f"{unseen} visits without a shot, at most 0", not unseen))
        results.append((f"{false} shots of no face, at most 0", not false))
    for text, holds in results:
        say(f"{'ok            ' if holds else 'BELOW TARGET  '}{text}")
    return sum(not holds for _, holds in results)
