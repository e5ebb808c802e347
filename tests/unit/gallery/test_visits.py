"""Which pictures are one visit, and which of them is shown."""

from facefleet.gallery.face import Face, Traits, face_of, traits_of
from facefleet.gallery.visits import APART_MS, grouped, visit_id
from facefleet.storage.faces import Camera
from hypothesis import given
from hypothesis import strategies as st

DOOR = Camera("jetson-01", "door")
YARD = Camera("jetson-01", "yard")


def face(at: int, track: int | None = 1, quality: float = 0.5, camera: Camera = DOOR) -> Face:
    traits = None if track is None else Traits(track, 1, quality, last=False)
    return Face(camera, f"{at:013d}-{track}-{camera.name}.png", at, traits)


def test_the_pictures_of_a_track_are_one_visit_with_the_best_first() -> None:
    (visit,) = grouped([face(1000, quality=0.4), face(2000, quality=0.9), face(3000, quality=0.6)])
    assert [each.time_ms for each in visit.faces] == [2000, 3000, 1000]


def test_other_tracks_and_cameras_are_other_visits_the_newest_first() -> None:
    visits = grouped([face(1000, 1), face(5000, 2), face(3000, 1, camera=YARD), face(4000, 1)])
    assert [(visit.best.camera, visit.newest_ms, len(visit.faces)) for visit in visits] == [
        (DOOR, 5000, 1),
        (DOOR, 4000, 2),
        (YARD, 3000, 1),
    ]


def test_what_is_unknown_or_of_no_tracker_stands_alone() -> None:
    assert len(grouped([face(1, None), face(2, None), face(3, -1), face(4, -1)])) == 4


def test_a_track_s_number_that_comes_again_after_hours_is_another_visit() -> None:
    assert len(grouped([face(0), face(APART_MS)])) == 1
    assert len(grouped([face(0), face(APART_MS + 1)])) == 2


@given(st.lists(st.tuples(st.integers(0, 3 * APART_MS), st.integers(-1, 3)), max_size=30))
def test_no_face_is_lost_or_shown_twice(faces: list[tuple[int, int]]) -> None:
    given_faces = [face(at, track)._replace(name=f"{n}.png") for n, (at, track) in enumerate(faces)]
    shown = [each for visit in grouped(given_faces) for each in visit.faces]
    assert sorted(each.name for each in shown) == sorted(each.name for each in given_faces)


def test_a_visit_keeps_its_id_when_a_better_picture_comes() -> None:
    before, after = grouped([face(1000)]), grouped([face(1000), face(2000, quality=0.9)])
    assert visit_id(before[0]) == visit_id(after[0])
    assert visit_id(grouped([face(1000, 2)])[0]) != visit_id(before[0])


def test_traits_of_older_and_of_damaged_metadata() -> None:
    assert traits_of({"track": "3", "score": "0.8"}) == Traits(3, 0, 0.8, last=False)
    assert traits_of({"track": "3", "shot": "2", "quality": "0.5", "last": "true"}) == Traits(
        3, 2, 0.5, last=True
    )
    for damaged in ({}, {"track": "x"}, {"track": "1", "quality": "good"}):
        assert traits_of(damaged).track == -1


def test_a_key_is_read_and_written_alike_and_others_are_no_faces() -> None:
    key = "faces/jetson-01/door/2026/11/22/20261122T075001.123Z-0a1b.png"
    found = face_of(key)
    assert found is not None
    assert found.key == key
    assert found.time_ms % 1000 == 123
    for other in ("probes/jetson-01/x.png", key.replace("/22/", "/23/", 1), key + "/", "faces/x"):
        assert face_of(other) is None, other
