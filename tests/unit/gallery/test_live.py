"""Who watches a page is told of each new face, however late the stream begins."""

import asyncio

from facefleet.gallery.face import Face
from facefleet.gallery.live import KEPT_MOST, Watchers
from facefleet.storage.faces import Camera


def face(number: int) -> Face:
    return Face(Camera("jetson-01", "door"), f"{number:013d}-1.png", number, None)


def told_since(watchers: Watchers, mark: str) -> list[int]:
    """Return what a stream that begins with a mark is told at once."""

    async def join() -> list[int]:
        queue = watchers.join(mark)
        watchers.leave(queue)
        return [
            told.face.time_ms for told in iter(lambda: None if queue.empty() else queue.get_nowait(), None)
        ]

    return asyncio.run(join())


def test_a_face_that_came_between_the_page_and_its_stream_is_told() -> None:
    watchers = Watchers()
    watchers.tell(face(1))
    mark = watchers.mark
    assert told_since(watchers, mark) == []
    watchers.tell(face(2))
    watchers.tell(face(3))
    assert told_since(watchers, mark) == [2, 3]


def test_without_a_mark_only_what_comes_is_told() -> None:
    watchers = Watchers()
    watchers.tell(face(1))

    async def watch() -> list[int]:
        queue = watchers.join()
        watchers.tell(face(2))
        watchers.end()
        seen = []
        while told := await asyncio.wait_for(queue.get(), 5):
            assert told.mark == watchers.mark
            seen.append(told.face.time_ms)
        watchers.leave(queue)
        return seen

    assert asyncio.run(watch()) == [2]


def test_a_page_from_before_a_restart_is_told_all_that_came_since() -> None:
    before = Watchers().mark
    watchers = Watchers()
    assert told_since(watchers, before) == []
    watchers.tell(face(1))
    assert told_since(watchers, before) == [1]


def test_who_is_far_behind_is_told_the_newest() -> None:
    watchers = Watchers()
    mark = watchers.mark
    for number in range(KEPT_MOST + 5):
        watchers.tell(face(number))
    assert told_since(watchers, mark) == list(range(5, KEPT_MOST + 5))
