"""Jobs go to the workers in their order, later ones at their time, and none after the end."""

import threading
import time

from facefleet.processor.jobs import Jobs


def test_the_first_comes_first() -> None:
    jobs: Jobs[int] = Jobs()
    for number in range(3):
        jobs.add(number)
    assert [jobs.take() for _ in range(3)] == [0, 1, 2]


def test_one_that_waits_holds_up_no_other() -> None:
    jobs: Jobs[str] = Jobs()
    jobs.later("later", 0.05)
    jobs.later("soon", 0.02)
    jobs.add("now")
    began = time.monotonic()
    assert [jobs.take() for _ in range(3)] == ["now", "soon", "later"]
    assert time.monotonic() - began >= 0.05


def test_those_that_wait_can_be_hurried() -> None:
    jobs: Jobs[str] = Jobs()
    jobs.later("second", 60)
    jobs.later("first", 30)
    took: list[str | None] = []
    worker = threading.Thread(target=lambda: took.extend(jobs.take() for _ in range(2)))
    worker.start()
    jobs.hurry()
    worker.join(5)
    assert took == ["first", "second"]


def test_after_the_end_comes_what_was_ready_and_then_nothing() -> None:
    jobs: Jobs[str] = Jobs()
    jobs.add("ready")
    jobs.later("waiting", 0)
    jobs.close(discard=False)
    assert [jobs.take() for _ in range(3)] == ["ready", None, None]


def test_after_an_end_that_discards_comes_nothing() -> None:
    jobs: Jobs[str] = Jobs()
    jobs.add("ready")
    jobs.close(discard=True)
    assert jobs.take() is None


def test_the_end_wakes_all_workers() -> None:
    jobs: Jobs[str] = Jobs()
    workers = [threading.Thread(target=jobs.take) for _ in range(4)]
    for worker in workers:
        worker.start()
    jobs.close(discard=False)
    for worker in workers:
        worker.join(5)
    assert not any(worker.is_alive() for worker in workers)
