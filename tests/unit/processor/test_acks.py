"""Acknowledgements go out in the order of arrival, each once, whatever is finished first and by whom."""

import itertools
import random
import threading

from facefleet.processor.acks import OrderedAcks, Turn
from hypothesis import given
from hypothesis import strategies as st

steps = st.lists(st.just("arrive") | st.integers(0, 20) | st.sampled_from(["forget"]), max_size=60)


@given(steps)
def test_what_is_acknowledged_is_the_finished_prefix(script: list[str | int]) -> None:
    """The model: a list of all that came, and how much of its beginning is finished."""
    acks = OrderedAcks()
    sent: list[int] = []
    turns: list[Turn] = []
    numbers = itertools.count()
    expected: list[int] = []
    line: list[tuple[int, Turn]] = []
    for step in script:
        if step == "arrive":
            number = next(numbers)
            turn = acks.arrive(lambda number=number: sent.append(number))  # type: ignore[misc]
            turns.append(turn)
            line.append((number, turn))
        elif step == "forget":
            acks.forget()
            line.clear()
        elif isinstance(step, int) and step < len(turns):
            acks.finish(turns[step])
            while line and line[0][1].finished:
                expected.append(line.pop(0)[0])
        assert sent == expected
        assert len(acks) == len(line)


def test_many_threads_keep_the_order() -> None:
    acks = OrderedAcks()
    sent: list[int] = []
    turns = [acks.arrive(lambda number=number: sent.append(number)) for number in range(4000)]  # type: ignore[misc]
    random.Random(1).shuffle(turns)

    def finish(part: int) -> None:
        for turn in turns[part::8]:
            acks.finish(turn)

    threads = [threading.Thread(target=finish, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sent == list(range(4000))
    assert len(acks) == 0


def test_an_acknowledgement_may_finish_another_or_take_the_callers_lock() -> None:
    """No lock is held meanwhile."""
    acks = OrderedAcks()
    sent: list[str] = []
    later: list[Turn] = []

    def both() -> None:
        sent.append("first")
        acks.finish(later[0])

    first = acks.arrive(both)
    later.append(acks.arrive(lambda: sent.append("second")))
    acks.finish(first)
    assert sent == ["first", "second"]
