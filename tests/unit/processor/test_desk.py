"""What the desk owes each message: one put, and then an acknowledgement and a receipt for each copy."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.receipts import Answer
from facefleet.processor import desk as module
from facefleet.processor.desk import Desk
from facefleet.processor.settings import ProcessorSettings
from facefleet.runtime.health import Health

from tests.conftest import MakeDelivery, MakeEvent
from tests.integration.waiting import await_until
from tests.unit.processor.conftest import MakeBucket
from tests.unit.storage.scripted import OK, answer


@dataclass
class S3:
    """Which keys it has, and what it says of those that hold a word."""

    keys: dict[str, None] = field(default_factory=dict)
    says: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    open: threading.Event = field(default_factory=threading.Event)

    def reply(self, head: bytes, _body: bytes) -> bytes:
        self.open.wait(10)
        self.puts += 1
        key = head.split(b" ", 2)[1].decode()
        for word, said in self.says.items():
            if word in key:
                return said
        if key in self.keys:
            return answer(412, "PreconditionFailed")
        self.keys[key] = None
        return OK


@dataclass
class Scene:
    """A desk, its S3 server, and what it said."""

    desk: Desk
    s3: S3
    health: Health
    replies: list[tuple[str, Answer, bytes]]
    acknowledged: list[int] = field(default_factory=list)

    def take(self, number: int, make: Callable[..., Delivery], event: Any, **parts: Any) -> Delivery:
        """Give it a message whose acknowledgement is noted by a number."""
        delivery = make(
            event,
            **{
                "acknowledge": lambda: self.acknowledged.append(number),
                "correlation": b"%d" % number,
                **parts,
            },
        )
        self.desk.take(delivery)
        return delivery


MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(make_bucket: MakeBucket, tmp_path: Path) -> Iterator[MakeScene]:
    made: list[Scene] = []

    def make(**settings: Any) -> Scene:
        s3 = S3()
        replies: list[tuple[str, Answer, bytes]] = []
        health = Health(tmp_path / "health", ("bucket",))
        chosen = ProcessorSettings.model_validate(
            {"broker": "mqtt://x", "bucket": "faces", "retry_most_s": 0.05, **settings}
        )
        desk = Desk(
            chosen, make_bucket(s3.reply), health, lambda *reply: replies.append(reply), lambda *_: None
        )
        made.append(Scene(desk, s3, health, replies))
        return made[-1]

    yield make
    for scene in made:
        scene.s3.open.set()
        scene.desk.close()


def test_each_is_acknowledged_in_order_and_answered_after_it_is_stored(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    for number in range(50):
        scene.take(number, make_delivery, make_event())
    assert (scene.acknowledged, scene.replies) == ([], [])
    scene.s3.open.set()
    await_until(lambda: len(scene.acknowledged) == 50, 10)
    assert scene.acknowledged == list(range(50))
    assert {(device, said) for device, said, _ in scene.replies} == {("jetson-01", Answer.STORED)}
    assert {correlation for _, _, correlation in scene.replies} == {b"%d" % number for number in range(50)}


def test_copies_are_put_once_and_each_is_acknowledged_and_answered(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    event = make_event()
    for number in range(3):
        scene.take(number, make_delivery, event)
    scene.s3.open.set()
    await_until(lambda: len(scene.acknowledged) == 3, 10)
    assert scene.s3.puts == 1
    assert sorted(correlation for _, _, correlation in scene.replies) == [b"0", b"1", b"2"]


def test_two_messages_with_one_id_are_both_put(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    scene.s3.open.set()
    for number in range(2):
        scene.take(number, make_delivery, make_event(id="one"))
    await_until(lambda: len(scene.acknowledged) == 2, 10)
    assert scene.s3.puts == 2


def test_what_is_no_face_is_answered_as_a_dead_letter(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    scene.s3.open.set()
    scene.take(1, make_delivery, make_event(image=b"none"))
    await_until(lambda: scene.acknowledged, 10)
    assert scene.replies == [("jetson-01", Answer.DEAD, b"1")]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"correlation": None}, "asks for none"),
        ({"correlation": b""}, "says nothing"),
        ({"correlation": bytes(65)}, "too long"),
        ({"topic": "face_detection/Jetson 01/lobby"}, "not a name"),
        ({"topic": "face_detection/../lobby"}, "not a name"),
        ({"topic": "face_detection//lobby"}, "not a name"),
        ({"topic": "face_detection/jetson-01\n/lobby"}, "not a name"),
    ],
)
def test_no_receipt_where_none_can_be_given(
    make_scene: MakeScene,
    make_event: MakeEvent,
    make_delivery: MakeDelivery,
    parts: dict[str, Any],
    reason: str,
) -> None:
    scene = make_scene()
    scene.s3.open.set()
    scene.take(1, make_delivery, make_event(), **parts)
    await_until(lambda: scene.acknowledged, 10)
    assert scene.replies == [], reason


def test_properties_that_cannot_be_read_are_a_dead_letter(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.s3.open.set()
    done: list[int] = []
    scene.desk.take(
        Delivery(
            "face_detection/jetson-01/lobby",
            b"x",
            b"\x26\xff\xff",
            qos=1,
            redelivered=False,
            acknowledge=lambda: done.append(1),
        )
    )
    await_until(lambda: done, 10)
    assert [key.split("/")[2] for key in scene.s3.keys] == ["dead-letter"]


def test_what_s3_never_takes_becomes_a_dead_letter_and_an_empty_one_if_need_be(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    scene.s3.open.set()
    scene.s3.says["/faces/faces/"] = answer(400, "MetadataTooLarge")
    scene.take(1, make_delivery, make_event())
    await_until(lambda: scene.acknowledged, 10)
    assert scene.replies == [("jetson-01", Answer.DEAD, b"1")]
    assert [key.split("/")[2] for key in scene.s3.keys] == ["probes", "dead-letter"]


def test_a_bucket_that_takes_nothing_makes_no_dead_letters(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    scene.s3.open.set()
    scene.s3.says["/"] = answer(400, "InvalidArgument")
    scene.take(1, make_delivery, make_event())
    await_until(lambda: scene.s3.puts > 6, 10)
    assert "takes no object at all" in scene.health.problems()[0]
    scene.s3.says.clear()
    await_until(lambda: scene.acknowledged, 10)
    assert scene.replies == [("jetson-01", Answer.STORED, b"1")]
    assert scene.health.problems() == []


def test_what_is_refused_in_every_form_is_kept_and_tried_again(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    scene.s3.open.set()
    for word in ("/faces/faces/", "/dead-letter/"):
        scene.s3.says[word] = answer(400, "InvalidArgument")
    scene.take(1, make_delivery, make_event())
    await_until(lambda: scene.s3.puts > 12, 10)
    assert scene.acknowledged == []
    assert "takes neither" in scene.health.problems()[0]
    del scene.s3.says["/faces/faces/"]
    await_until(lambda: scene.acknowledged, 10)
    assert scene.replies == [("jetson-01", Answer.STORED, b"1")]


def test_one_that_fails_alone_is_let_go_and_holds_up_nobody(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    """Its sender has no receipt and sends it again."""
    scene = make_scene(puts_at_once=2)
    scene.s3.open.set()
    scene.s3.says["/poison/"] = answer(403, "AccessDenied")
    for number in range(4):
        scene.take(number, make_delivery, make_event(camera="poison"))
    scene.take(9, make_delivery, make_event())
    await_until(lambda: scene.replies == [("jetson-01", Answer.STORED, b"9")], 10)
    for number in range(10, 60):
        scene.take(number, make_delivery, make_event())
        await_until(lambda number=number: b"%d" % number in [each for _, _, each in scene.replies], 10)  # type: ignore[misc]
    await_until(lambda: len(scene.acknowledged) == 55, 10)
    assert not {b"0", b"1", b"2", b"3"} & {each for _, _, each in scene.replies}


def test_one_that_nobody_sends_again_is_never_let_go(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene(puts_at_once=2)
    scene.s3.open.set()
    scene.s3.says["/poison/"] = answer(403, "AccessDenied")
    scene.take(1, make_delivery, make_event(camera="poison"), correlation=None)
    for number in range(10, 30):
        scene.take(number, make_delivery, make_event())
    await_until(lambda: scene.s3.puts > 40, 10)
    assert scene.acknowledged == []
    scene.s3.says.clear()
    await_until(lambda: len(scene.acknowledged) == 21, 10)


def test_what_finds_no_room_is_dropped_without_a_receipt(
    make_scene: MakeScene,
    make_event: MakeEvent,
    make_delivery: MakeDelivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ROOM_MESSAGES", 10)
    scene = make_scene()
    for number in range(30):
        scene.take(number, make_delivery, make_event(), qos=0)
    scene.s3.open.set()
    await_until(lambda: len(scene.replies) == 10, 10)
    assert len(scene.s3.keys) == 10
    assert scene.acknowledged == []  # at QoS 0 there is nothing to acknowledge


def test_the_room_is_bounded_in_bytes_but_one_message_always_fits(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene(room_bytes=1024 * 1024)
    for number in range(3):
        scene.take(number, make_delivery, make_event(image=bytes(3_000_000)))
    scene.s3.open.set()
    await_until(lambda: len(scene.acknowledged) == 3, 10)
    assert [(said, each) for _, said, each in scene.replies] == [(Answer.DEAD, b"0")]


def test_what_came_by_a_connection_that_ended_is_stored_and_answered_but_not_acknowledged(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene()
    scene.take(1, make_delivery, make_event())
    scene.desk.lost()
    scene.take(2, make_delivery, make_event())
    scene.s3.open.set()
    await_until(lambda: len(scene.replies) == 2, 10)
    await_until(lambda: scene.acknowledged == [2], 10)


def test_it_ends_with_what_it_has_and_takes_nothing_more(
    make_scene: MakeScene, make_event: MakeEvent, make_delivery: MakeDelivery
) -> None:
    scene = make_scene(puts_at_once=1)
    for number in range(5):
        scene.take(number, make_delivery, make_event())
    scene.s3.open.set()
    scene.desk.close()
    assert scene.acknowledged == list(range(5))
    scene.take(6, make_delivery, make_event())
    assert len(scene.s3.keys) == 5
