"""What failed is not tried again every quarter of an hour for ever."""

from pathlib import Path

from facefleet.puller.memory import FIRST_WAIT_S, MOST_WAIT_S, Memory, load, save


def test_each_wait_is_twice_the_one_before_up_to_a_day() -> None:
    memory, now, waits = Memory(), 1000.0, []
    for _ in range(8):
        memory = memory.failed(7, "no receipt came", now)
        assert memory.failure
        waits.append(memory.failure.again_at - now)
    assert waits[:3] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]
    assert waits[-1] == MOST_WAIT_S
    assert memory.failure
    assert memory.failure.tries == 8


def test_it_waits_until_then_and_for_no_clock_that_went_back() -> None:
    failure = Memory().failed(7, "no", 1000.0).failure
    assert failure
    assert failure.waits(1001.0)
    assert not failure.waits(1000.0 + FIRST_WAIT_S)
    assert not failure.waits(1000.0 - MOST_WAIT_S)


def test_another_order_is_tried_at_once_and_success_forgets_the_failure() -> None:
    memory = Memory().failed(7, "no", 0.0)
    assert memory.failure_of(8) is None
    other = memory.failed(8, "no", 0.0).failure
    assert other
    assert other.tries == 1
    assert memory.applied(9, "e", "{}", "s").failure is None


def test_it_is_kept_and_what_is_damaged_is_as_good_as_new(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    assert load(file) == Memory()
    memory = Memory().applied(7, "e", "{}", "s").failed(8, "no", 5.0)
    save(file, memory)
    assert load(file) == memory
    assert file.stat().st_mode & 0o777 == 0o600
    for broken in ("", "{", "[]", '{"a": 1}', '{"failure": 7}'):
        file.write_text(broken)
        assert load(file) == Memory()
