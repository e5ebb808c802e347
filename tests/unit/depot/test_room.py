"""Room at the depot's door."""

from facefleet.depot.addresses import owner
from facefleet.depot.room import Bounds, Room


def test_one_owner_cannot_have_all_of_it() -> None:
    room = Room(Bounds(all=5, of_one=3))
    assert [room.enter("192.0.2.1") for _ in range(4)] == [True, True, True, False]
    assert [room.enter("192.0.2.2") for _ in range(3)] == [True, True, False]
    assert room.present == 5


def test_who_leaves_makes_room() -> None:
    room = Room(Bounds(all=1, of_one=1))
    assert room.enter("192.0.2.1")
    room.leave("192.0.2.1")
    assert room.present == 0
    assert room.enter("192.0.2.2")


def test_an_owner_of_many_addresses_is_one() -> None:
    assert owner("2001:db8::1") == owner("2001:db8::2") != owner("2001:db8:0:1::1")
    assert owner("::ffff:192.0.2.1") == owner("192.0.2.1") != owner("192.0.2.2")
