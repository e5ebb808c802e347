"""The detector on a real video: what it captured is on its disk until somebody has it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.receipts import Answer, Receipts

from tests.demo_files import CLIP, MODEL, present
from tests.integration.conftest import MakeBroker, MakeLink, MakeService
from tests.integration.containers import Broker
from tests.integration.services import Service
from tests.integration.waiting import await_until

MakeDetector = Callable[..., Service]


class Taker:
    """Stands where the forwarder does, and hears what the camera says of itself."""

    def __init__(self, make_link: MakeLink, broker: Broker, device: str) -> None:
        self.device = device
        self.answers = True
        self.faces: list[dict[str, str]] = []
        self.status: dict[str, Any] = {}
        self._link = make_link(
            broker.port,
            subscriptions=[f"{device}/{device}/+", topics.camera_status(device, "+")],
            on_message=self.hear,
        )
        self._receipts = Receipts(self._link)
        await_until(lambda: self._link.connected, 20, "the taker is connected")

    def hear(self, delivery: Delivery) -> None:
        delivery.acknowledge()
        if delivery.topic.startswith("status/"):
            self.status = json.loads(delivery.payload)
            return
        self.faces.append(dict(delivery.properties))
        if self.answers:
            topic = topics.camera_receipts(self.device, "lobby")
            self._receipts.add(topic, Answer.KEPT, delivery.correlation or b"")

    @property
    def sequences(self) -> set[int]:
        return {int(face["sequence"]) for face in self.faces}


@pytest.fixture
def make_detector(make_service: MakeService, tmp_path: Path, device: str) -> MakeDetector:
    def make(broker: Broker, **settings: str) -> Service:
        state = tmp_path / "state"
        state.mkdir(exist_ok=True)
        given = {
            "broker": broker.url,
            "device": device,
            "camera": "lobby",
            "topic_prefix": device,
            "source": str(present(CLIP)),
            "model": str(present(MODEL)),
            "loop": "true",
            "repeat_s": "0.4",
            "state_dir": str(state),
        } | settings
        return make_service("detector", {f"FACEFLEET_{name.upper()}": text for name, text in given.items()})

    return make


@pytest.fixture
def edge(make_broker: MakeBroker) -> Broker:
    own = make_broker()
    own.start()
    return own


def held(detector: Service) -> float:
    return detector.metric("facefleet_events_held")


def test_what_is_captured_while_nobody_is_there_waits_on_the_disk_and_survives_a_kill(
    edge: Broker, make_detector: MakeDetector, make_link: MakeLink, device: str
) -> None:
    edge.stop()
    detector = make_detector(edge)
    await_until(lambda: detector.running and detector.lines("started"), 20, "it runs")
    await_until(lambda: held(detector) >= 3, 30, "it holds some")
    detector.kill()
    edge.start()
    taker = Taker(make_link, edge, device)
    detector.start()
    await_until(lambda: {1, 2, 3} <= taker.sequences, 20, "the first ones arrive")
    await_until(lambda: detector.metric("facefleet_events_handed_on_total") >= 5, 20, "and go on")
    assert detector.stop() == 0
    await_until(lambda: taker.status.get("state") == "stopped", 10, "it says goodbye")
    assert taker.status["captured"] == len(taker.sequences) == max(taker.sequences)
    assert taker.status["held"] == taker.status["given_up"] == 0
    identities = {(face["sequence"], face["id"]) for face in taker.faces}
    assert len(identities) == len(taker.sequences), "one number, one event"


def test_without_an_answer_the_brokers_acknowledgement_is_not_enough(
    edge: Broker, make_detector: MakeDetector, make_link: MakeLink, device: str
) -> None:
    taker = Taker(make_link, edge, device)
    taker.answers = False
    detector = make_detector(edge)
    await_until(lambda: len(taker.faces) >= 3, 30, "faces arrive")
    status = await_until(lambda: taker.status if taker.status.get("held", 0) >= 3 else {}, 10, "it tells")
    assert status["captured"] == status["handed_on"] + status["given_up"] + status["held"]
    assert status["handed_on"] == 0
    taker.answers = True
    await_until(lambda: taker.status["handed_on"] >= 3, 30, "they are sent again")
    assert detector.running


def test_a_camera_that_vanishes_is_offline_by_its_will(
    edge: Broker, make_detector: MakeDetector, make_link: MakeLink, device: str
) -> None:
    taker = Taker(make_link, edge, device)
    detector = make_detector(edge)
    await_until(lambda: taker.status.get("state") == "online", 20, "it is there")
    detector.kill()
    await_until(lambda: taker.status == {"state": "offline"}, 40, "its will is done")


@pytest.mark.parametrize("trusted", [False, True])
def test_a_clock_that_nobody_set_is_told_with_each_event(
    edge: Broker, make_detector: MakeDetector, make_link: MakeLink, device: str, *, trusted: bool
) -> None:
    from facefleet.runtime import clock  # noqa: PLC0415 - what this machine's kernel says

    taker = Taker(make_link, edge, device)
    make_detector(edge, clock="trusted" if trusted else "kernel")
    await_until(lambda: taker.faces, 30, "a face arrives")
    right = trusted or clock.known_right()
    assert ("clock" in taker.faces[0]) is not right
    await_until(
        lambda: taker.status.get("clock") == ("right" if right else "unsynchronized"), 10, "so it says"
    )


def test_a_camera_that_is_paused_is_closed_until_it_is_resumed_also_over_a_restart(
    edge: Broker, make_detector: MakeDetector, make_link: MakeLink, device: str, tmp_path: Path
) -> None:
    def is_open(detector: Service) -> bool:
        clip = present(CLIP).resolve()
        return any(file.resolve() == clip for file in Path(f"/proc/{detector.pid}/fd").iterdir())

    def says(camera: str) -> bool:
        return taker.status.get("camera") == camera

    marker = tmp_path / "lobby"
    taker = Taker(make_link, edge, device)
    detector = make_detector(edge, paused_dir=str(tmp_path))
    await_until(lambda: says("ok") and taker.status["last_face"], 30, "it sees somebody")
    assert is_open(detector)
    taker.answers = False
    marker.touch()
    await_until(lambda: says("paused"), 5, "it is paused")
    assert not is_open(detector)
    assert detector.metric("facefleet_camera_paused") == 1
    frames = taker.status["frames"]
    await_until(lambda: taker.status["fps"] == 0, 15, "no frame comes")
    assert taker.status["frames"] == frames
    taker.answers = True
    await_until(lambda: taker.status["held"] == 0, 15, "what it holds goes out all the same")
    assert detector.problems() == []
    assert detector.stop() == 0
    detector.start()
    await_until(lambda: says("paused") and taker.status["state"] == "online", 20, "it is still paused")
    assert not is_open(detector)
    assert taker.status["frames"] == 0
    marker.unlink()
    await_until(lambda: says("ok") and taker.status["frames"] > 3, 10, "it is back")
    detector.await_healthy()


def test_a_second_detector_on_the_same_outbox_is_refused_by_name(
    edge: Broker, make_detector: MakeDetector
) -> None:
    first = make_detector(edge)
    await_until(lambda: first.lines("connected"), 20, "the first runs")
    second = make_detector(edge)
    assert second.wait() == 70
    assert second.lines("cannot go on", "outbox-lobby")
    time.sleep(0.5)
    assert first.running
