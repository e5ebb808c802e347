"""The processor between a real broker and a real S3 server."""

import base64
import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Outcome
from facefleet.messaging.receipts import Answer
from facefleet.processor.verdict import face_key
from mypy_boto3_s3 import S3Client

from tests.conftest import MakeEvent
from tests.integration.conftest import MakeProxy, MakeService
from tests.integration.containers import Broker, S3Server, succeeds
from tests.integration.edge_site import Camera
from tests.integration.s3_faults import (
    S3Faults,
    cuts_the_answer,
    damages_the_body,
    ends,
    loses_the_answer,
    resets,
    says,
    talks_nonsense,
)
from tests.integration.sender import Sender
from tests.integration.services import Service
from tests.integration.waiting import await_until

MakeCamera = Callable[[int], Camera]
MakeSender = Callable[..., Sender]


@dataclass
class Cloud:
    """A broker, an S3 server and what a processor between them is told."""

    broker: Broker
    s3: S3Server
    device: str
    make_service: MakeService
    operator: S3Client

    def settings(self, **changes: str) -> dict[str, str]:
        given = {
            "broker": self.broker.url,
            "bucket": "faces",
            "s3_endpoint": self.s3.url,
            "topic_prefix": self.device,
            "retry_most_s": "1",
        } | changes
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.s3.credentials("processor")),
            **{f"FACEFLEET_{name.upper()}": value for name, value in given.items()},
        }

    def processor(self, **changes: str) -> Service:
        """Start a processor and wait until it is healthy."""
        service = self.make_service("processor", self.settings(**changes))
        service.await_healthy()
        return service

    def keys(self, prefix: str = "faces") -> list[str]:
        """Return the keys of this test's device."""
        pages = self.operator.get_paginator("list_objects_v2").paginate(
            Bucket="faces", Prefix=f"{prefix}/{self.device}/"
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def await_keys(self, number: int, prefix: str = "faces", timeout: float = 30) -> list[str]:
        keys: list[str] = []

        def enough() -> bool:
            with contextlib.suppress(BotoCoreError, ClientError):  # S3 may be away
                keys[:] = self.keys(prefix)
            return len(keys) >= number

        await_until(enough, timeout, f"{number} keys under {prefix}/")
        return keys


def cloud_of(broker: Broker, s3: S3Server, device: str, make_service: MakeService) -> Cloud:
    return Cloud(broker, s3, device, make_service, s3.client("operator"))


@pytest.fixture
def cloud(broker: Broker, s3: S3Server, device: str, make_service: MakeService) -> Cloud:
    return cloud_of(broker, s3, device, make_service)


@pytest.fixture
def own_cloud(broker: Broker, own_s3: S3Server, device: str, make_service: MakeService) -> Cloud:
    """With an S3 server of the test's own."""
    return cloud_of(broker, own_s3, device, make_service)


@pytest.fixture
def make_sender(device: str) -> Iterator[MakeSender]:
    """Start a sender with custody; at the end it stops."""
    made: list[Sender] = []

    def make(url: str, **options: Any) -> Sender:
        made.append(Sender(url, device, device, **options))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


def test_an_event_becomes_an_encrypted_object_with_its_metadata(
    cloud: Cloud, make_camera: MakeCamera, make_event: MakeEvent
) -> None:
    cloud.processor()
    event = make_event(device=cloud.device)
    assert make_camera(cloud.broker.port).publish(event) == [Outcome.ACCEPTED]
    (key,) = cloud.await_keys(1)
    assert key == f"faces/{cloud.device}/lobby/2026/11/22/20261122T075001.123Z-{event.id}.png"
    found = cloud.operator.get_object(Bucket="faces", Key=key, ChecksumMode="ENABLED")
    assert found["Body"].read() == event.image
    assert found["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(event.image).digest()).decode()
    assert found["ServerSideEncryption"] == "AES256"
    assert found["ContentType"] == "image/png"
    assert found["Metadata"] == dict(event.attributes())


def test_an_event_that_is_sent_twice_becomes_one_version_and_is_counted(
    cloud: Cloud, make_camera: MakeCamera, make_event: MakeEvent
) -> None:
    admin = cloud.s3.client("admin")
    admin.create_bucket(Bucket="versions")
    admin.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    processor = cloud.processor(bucket="versions")
    event = make_event(device=cloud.device)
    camera = make_camera(cloud.broker.port)
    for copies in range(1, 4):
        camera.publish(event)
        await_until(
            lambda copies=copies: (  # type: ignore[misc]
                processor.metric("facefleet_faces_stored_total")
                + processor.metric("facefleet_repeats_absorbed_total")
                == copies
            ),
            15,
            "it is acknowledged",
        )
    assert processor.metric("facefleet_faces_stored_total") == 1
    assert processor.metric("facefleet_repeats_absorbed_total") == 2
    versions = admin.list_object_versions(Bucket="versions", Prefix="faces/")["Versions"]
    assert [version["Key"] for version in versions] == [face_key(event, "png")]
    admin.close()


def test_copies_of_one_event_in_flight_together_do_not_use_up_the_window(
    cloud: Cloud, make_proxy: MakeProxy, make_camera: MakeCamera, make_event: MakeEvent
) -> None:
    proxy = make_proxy(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=f"http://127.0.0.1:{proxy.port}", window="3")
    proxy.refuse()
    camera = make_camera(cloud.broker.port)
    event = make_event(device=cloud.device)
    camera.publish(event, event, event)
    await_until(lambda: processor.metric("facefleet_messages_held") == 1, 15, "it was taken")
    proxy.allow()
    cloud.await_keys(1)
    await_until(lambda: processor.metric("facefleet_messages_held") == 0, 15, "it is acknowledged")
    proxy.refuse()
    camera.publish(*(make_event(device=cloud.device) for _ in range(3)))
    await_until(lambda: processor.metric("facefleet_messages_held") == 3, 15, "the whole window is there")
    proxy.allow()
    cloud.await_keys(4)


def test_a_receipt_is_sent_only_after_the_object_is_there(
    cloud: Cloud, make_proxy: MakeProxy, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    """Killed while S3 is away, the processor gets the message again from who has it."""
    proxy = make_proxy(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=f"http://127.0.0.1:{proxy.port}")
    proxy.refuse()
    event = make_event(device=cloud.device)
    sender = make_sender(cloud.broker.url)
    sender.send(event)
    await_until(lambda: processor.metric("facefleet_messages_held") == 1, 15, "it was taken")
    processor.kill()
    proxy.allow()
    assert (cloud.keys(), sender.answers) == ([], {})
    processor.start()
    sender.await_receipts()
    assert cloud.keys() == [face_key(event, "png")]
    assert set(sender.answers.values()) == {Answer.STORED}
    assert sender.sent > 1


def test_an_s3_server_that_hangs_loses_nothing(
    cloud: Cloud, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    processor = cloud.processor(window="32")
    events = [make_event(device=cloud.device) for _ in range(40)]
    cloud.s3.pause()
    try:
        sender = make_sender(cloud.broker.url)
        sender.send(*events)
        await_until(lambda: processor.metric("facefleet_messages_held") == 32, 15, "the window is full")
        processor.kill()
        processor.start()
    finally:
        cloud.s3.unpause()
    sender.await_receipts()
    assert sorted(cloud.keys()) == sorted(face_key(event, "png") for event in events)


MakeScene = Callable[[int, int], tuple[Camera, list[FaceEvent]]]


@pytest.fixture
def make_scene(make_camera: MakeCamera, make_event: MakeEvent, device: str) -> MakeScene:
    """A camera and so many events of this test's device."""
    return lambda port, number: (make_camera(port), [make_event(device=device) for _ in range(number)])


@dataclass(frozen=True)
class Bad:
    """A message that can never be stored as a face."""

    reason: str
    image: bytes | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    content_type: str = "image/png"
    level: str = "lobby"


BAD = {
    "corrupt": Bad("no sound PNG", image=b"\x89PNG\r\n\x1a\n" + bytes(500)),
    "not a PNG": Bad("no sound PNG", image=b"<html/>"),
    "empty": Bad("no sound PNG", image=b""),
    "20 MB": Bad("bytes are more than image_max_bytes=8388608", image=bytes(20_000_000)),
    "forged source": Bad("source is ", attributes=(("source", "/devices/other/cameras/lobby"),)),
    "content type": Bad("content type ", content_type="text/html"),
    "huge box": Bad("box ", attributes=(("box", "1,1,1," + "9" * 9000),)),
    "odd spaces": Bad("id ", attributes=(("id", "  two  spaces  "),)),
    "not ASCII": Bad("id ", attributes=(("id", "ünïcödé ☃"),)),
    "long attributes": Bad("id ", attributes=(("id", "i" * 60_000), ("time", "%" * 5000))),
    "long level": Bad("in the topic", level="x" * 2000),
    "level of dots": Bad("in the topic", level=".."),
    "empty level": Bad("in the topic", level=""),
    "level not ASCII": Bad("in the topic", level="ü?&=;" * 100),
}


def test_what_can_never_be_stored_is_a_dead_letter_and_holds_up_nothing(
    cloud: Cloud, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    processor = cloud.processor()
    sender = make_sender(cloud.broker.url)
    dead: set[bytes] = set()
    good: list[FaceEvent] = []
    for bad in BAD.values():
        event = make_event(device=cloud.device, content_type=bad.content_type)
        if bad.image is not None:
            event = replace(event, image=bad.image)
        dead |= set(
            sender.send(
                event,
                topic=f"{cloud.device}/{cloud.device}/{bad.level}",
                properties=list((dict(event.attributes()) | dict(bad.attributes)).items()),
            )
        )
        good.append(make_event(device=cloud.device))
        sender.send(good[-1])
    sender.await_receipts()
    assert {ticket for ticket, answer in sender.answers.items() if answer is Answer.DEAD} == dead
    assert set(cloud.await_keys(len(good))) == {face_key(event, "png") for event in good}
    letters = [
        cloud.operator.head_object(Bucket="faces", Key=key)
        for key in cloud.await_keys(len(BAD), "dead-letter")
    ]
    reasons = sorted(letter["Metadata"]["reason"] for letter in letters)
    assert len(reasons) == len(BAD)
    for name, bad in BAD.items():
        assert [reason for reason in reasons if bad.reason in reason], (name, reasons)
    assert {letter["ServerSideEncryption"] for letter in letters} == {"AES256"}
    assert 20_000_000 in [letter["ContentLength"] for letter in letters]
    assert processor.metric("facefleet_dead_letters_total") == len(BAD)
    assert processor.metric("facefleet_messages_held") == 0
    assert len(processor.lines("level=warning", 'event="dead letter"', "reason=")) == len(BAD)
    assert processor.running


@pytest.mark.timeout(180)
def test_an_s3_server_that_is_killed_in_mid_stream_stores_all_once(
    own_cloud: Cloud, own_s3: S3Server, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    cloud = own_cloud
    processor = cloud.processor()
    sender = make_sender(cloud.broker.url)
    events = [make_event(device=cloud.device) for _ in range(200)]
    sender.send(*events[:80])
    cloud.await_keys(40)
    own_s3.kill()
    sender.send(*events[80:140])
    await_until(lambda: "bucket" in " ".join(processor.problems()), 30, "the health file says so")
    assert processor.lines("level=warning", "put failed, trying again", "faces at http")
    own_s3.start()
    sender.send(*events[140:])
    sender.await_receipts(90)
    keys = cloud.keys()
    assert len(keys) == 200
    assert set(keys) == {face_key(event, "png") for event in events}
    await_until(lambda: processor.metric("facefleet_messages_held") == 0, 15, "all are acknowledged")
    assert processor.metric("facefleet_faces_stored_total") <= 200
    processor.await_healthy()


def test_a_missing_bucket_is_named_with_the_remedy_and_used_once_it_is_there(
    cloud: Cloud, make_scene: MakeScene
) -> None:
    processor = cloud.make_service("processor", cloud.settings(bucket="late"))
    line = await_until(lambda: processor.lines("level=warning"), 30, "it says why")[0]
    assert f"bucket late at {cloud.s3.url}" in line
    assert "see that the bucket is there" in line  # SeaweedFS says 403 of one that is not
    await_until(lambda: "bucket late at" in " ".join(processor.problems()), 10, "the health file says so")
    admin = cloud.s3.client("admin")
    admin.create_bucket(Bucket="late")
    processor.await_healthy()
    camera, events = make_scene(cloud.broker.port, 1)
    camera.publish(*events)
    operator = cloud.operator
    succeeds(lambda: operator.head_object(Bucket="late", Key=face_key(events[0], "png")), 15)
    admin.close()


def test_a_wrong_secret_is_named_with_the_remedy_and_read_again(cloud: Cloud, make_scene: MakeScene) -> None:
    settings = cloud.settings()
    credentials = cloud.s3.credentials("processor")
    right = credentials.read_text()
    credentials.write_text(right[:-9] + "12345678\n")
    processor = cloud.make_service("processor", settings)
    line = await_until(lambda: processor.lines("level=warning"), 30, "it says why")[0]
    assert f"bucket faces at {cloud.s3.url}" in line
    assert "correct the secret in the credentials file" in line
    await_until(lambda: "correct the secret" in " ".join(processor.problems()), 10, "the health file says so")
    credentials.write_text(right)
    processor.await_healthy()
    camera, events = make_scene(cloud.broker.port, 1)
    camera.publish(*events)
    cloud.await_keys(1)


def test_no_key_at_all_is_named_with_the_remedy_and_found_later(cloud: Cloud) -> None:
    settings = cloud.settings()
    credentials = cloud.s3.credentials("processor")
    kept = credentials.rename(credentials.with_suffix(".kept"))
    processor = cloud.make_service("processor", settings)
    line = await_until(lambda: processor.lines("level=warning"), 30, "it says why")[0]
    assert f"bucket faces at {cloud.s3.url}" in line
    assert "provide the credentials file" in line
    kept.rename(credentials)
    processor.await_healthy()


def test_the_processors_key_may_put_and_neither_read_nor_list(cloud: Cloud) -> None:
    processor = cloud.s3.client("processor")
    processor.put_object(Bucket="faces", Key=f"faces/{cloud.device}/x", Body=b"x")
    for call in (
        lambda: processor.get_object(Bucket="faces", Key=f"faces/{cloud.device}/x"),
        lambda: processor.list_objects_v2(Bucket="faces"),
        lambda: processor.list_buckets()["Buckets"][0],
        lambda: processor.put_object(Bucket="another", Key="x", Body=b"x"),
    ):
        with pytest.raises((ClientError, IndexError)) as refused:
            call()
        if isinstance(refused.value, ClientError):
            assert refused.value.response["Error"]["Code"] == "AccessDenied"
    processor.close()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_it_stores_and_answers_with_any_qos(
    cloud: Cloud, make_sender: MakeSender, make_event: MakeEvent, qos: int
) -> None:
    processor = cloud.processor(qos=str(qos))
    sender = make_sender(cloud.broker.url, qos=qos, again_s=10)
    events = [make_event(device=cloud.device) for _ in range(300)]
    sender.send(*events)
    sender.await_receipts()
    assert sorted(cloud.keys()) == sorted(face_key(event, "png") for event in events)
    assert sender.sent == 300
    assert processor.metric("facefleet_faces_stored_total") == 300
    assert processor.metric("facefleet_messages_held") == 0
    assert processor.metric("facefleet_receipts_sent_total") == 300
    assert len(sender.batches) < 150, "receipts come in batches"


def test_it_stops_cleanly_and_soon_while_s3_is_away(
    cloud: Cloud, make_proxy: MakeProxy, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    proxy = make_proxy(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=f"http://127.0.0.1:{proxy.port}")
    proxy.refuse()
    sender = make_sender(cloud.broker.url)
    events = [make_event(device=cloud.device) for _ in range(100)]
    sender.send(*events)
    await_until(lambda: processor.metric("facefleet_messages_held") == 64, 15, "the window is full")
    began = time.monotonic()
    assert processor.stop() == 0
    assert time.monotonic() - began < 8
    proxy.allow()
    processor.start()
    sender.await_receipts()
    assert sorted(cloud.keys()) == sorted(face_key(event, "png") for event in events)


def test_what_it_has_taken_it_finishes_before_it_stops(
    cloud: Cloud, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    processor = cloud.processor()
    sender = make_sender(cloud.broker.url, again_s=60)
    sender.send(*(make_event(device=cloud.device) for _ in range(40)))
    await_until(lambda: sender.answers, 15, "the first receipts")
    assert processor.stop() == 0
    await_until(lambda: len(sender.answers) == len(cloud.keys()), 5, "a receipt for each that is stored")


@pytest.fixture
def make_faults() -> Iterator[Callable[[int], S3Faults]]:
    made: list[S3Faults] = []

    def make(port: int) -> S3Faults:
        made.append(S3Faults(port))
        return made[-1]

    yield make
    for faults in made:
        faults.held.set()
        faults.close()


MakeFaults = Callable[[int], S3Faults]
FAULTS = {
    "500": says(500, "InternalError"),
    "503": says(503, "SlowDown"),
    "403": says(403, "AccessDenied"),
    "404": says(404, "NoSuchBucket"),
    "409": says(409, "ConditionalRequestConflict"),
    "502 of a proxy": says(502),
    "ends": ends,
    "resets": resets,
    "loses the answer": loses_the_answer,
    "cuts the answer": cuts_the_answer,
    "talks nonsense": talks_nonsense,
    "damages the body": damages_the_body,
    "closes in mid-body": None,
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_s3_does_all_is_stored_once_and_answered(
    cloud: Cloud, make_faults: MakeFaults, make_sender: MakeSender, make_event: MakeEvent, name: str
) -> None:
    """The first two requests for each object go wrong."""
    faults = make_faults(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=faults.url, retry_most_s="0.5")
    faults.times, faults.fault = 2, FAULTS[name]
    if faults.fault is None:
        faults.close_in_mid_body()
    sender = make_sender(cloud.broker.url)
    events = [make_event(device=cloud.device) for _ in range(40)]
    sender.send(*events)
    sender.await_receipts()
    assert sorted(cloud.keys()) == sorted(face_key(event, "png") for event in events)
    assert set(sender.answers.values()) == {Answer.STORED}
    assert faults.applied >= 80
    assert processor.metric("facefleet_put_retries_total") > 0
    assert processor.metric("facefleet_dead_letters_total") == 0
    processor.await_healthy()


def test_a_slow_s3_server_delays_and_loses_nothing(
    cloud: Cloud, make_faults: MakeFaults, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    faults = make_faults(cloud.s3.port)
    cloud.processor(s3_endpoint=faults.url)
    faults.delay_s = lambda _key: 1.0
    sender = make_sender(cloud.broker.url, again_s=1.0)
    events = [make_event(device=cloud.device) for _ in range(60)]
    sender.send(*events)
    sender.await_receipts()
    assert sorted(cloud.keys()) == sorted(face_key(event, "png") for event in events)


def test_acknowledgements_leave_in_the_order_in_which_the_messages_came(
    cloud: Cloud,
    make_proxy: MakeProxy,
    make_faults: MakeFaults,
    make_sender: MakeSender,
    make_event: MakeEvent,
) -> None:
    """Although some puts take far longer than others."""
    faults = make_faults(cloud.s3.port)
    faults.delay_s = lambda key: (key[-5] % 4) / 20
    wire = make_proxy(cloud.broker.port)
    wire.records = True
    cloud.processor(s3_endpoint=faults.url, broker=f"mqtt://127.0.0.1:{wire.port}")
    sender = make_sender(cloud.broker.url, again_s=30)
    sender.send(*(make_event(device=cloud.device) for _ in range(300)))
    sender.await_receipts()
    acknowledged = await_until(
        lambda: ids if len(ids := packet_ids(wire.there, 0x40)) == 300 else [], 10, "all are acknowledged"
    )
    assert acknowledged == packet_ids(wire.back, 0x30)


def packet_ids(stream: bytearray, kind: int) -> list[int]:
    """Return the packet ids of all PUBLISH (0x30) of QoS 1, or of all PUBACK (0x40), in a stream of MQTT."""
    found, at = [], 0
    data = bytes(stream)
    while at + 1 < len(data):
        first, size, shift = data[at], 0, 0
        at += 1
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = data[at : at + size]
        at += size
        if first & 0xF0 == kind == 0x40:
            found.append(int.from_bytes(body[:2], "big"))
        elif first & 0xF0 == kind == 0x30 and first & 0x06:
            topic_end = 2 + int.from_bytes(body[:2], "big")
            found.append(int.from_bytes(body[topic_end : topic_end + 2], "big"))
    return found


def test_of_two_processors_one_is_killed_with_a_full_window(
    cloud: Cloud, make_faults: MakeFaults, make_sender: MakeSender, make_event: MakeEvent
) -> None:
    """What it had taken is lost with it, but nobody had a receipt for that."""
    faults = make_faults(cloud.s3.port)
    pair = [cloud.processor(s3_endpoint=faults.url, window="16") for _ in range(2)]
    sender = make_sender(cloud.broker.url)
    events = [make_event(device=cloud.device) for _ in range(200)]
    faults.held.clear()
    sender.send(*events)
    for each in pair:
        await_until(lambda each=each: each.metric("facefleet_messages_held") == 16, 15, "the window is full")  # type: ignore[misc]
    pair[0].kill()
    faults.held.set()
    sender.await_receipts()
    assert sorted(cloud.keys()) == sorted(face_key(event, "png") for event in events)
    assert set(sender.answers.values()) == {Answer.STORED}
    assert pair[1].metric("facefleet_faces_stored_total") <= 200


def test_two_processors_share_the_work(cloud: Cloud, make_sender: MakeSender, make_event: MakeEvent) -> None:
    pair = [cloud.processor() for _ in range(2)]
    sender = make_sender(cloud.broker.url, again_s=30)
    events = [make_event(device=cloud.device) for _ in range(200)]
    sender.send(*events)
    sender.await_receipts()
    stored = [each.metric("facefleet_faces_stored_total") for each in pair]
    assert sum(stored) == 200
    assert min(stored) > 40


@pytest.mark.parametrize("load", [(0, 1500), (1, 5000)], ids=["QoS 0", "QoS 1"])
@pytest.mark.timeout(180)
def test_its_memory_is_bounded_whatever_waits(
    cloud: Cloud,
    make_faults: MakeFaults,
    make_sender: MakeSender,
    make_event: MakeEvent,
    load: tuple[int, int],
) -> None:
    """Messages of 20 KB wait while S3 is away; at QoS 0 those for which there is no room come again."""
    qos, number = load
    faults = make_faults(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=faults.url, qos=str(qos), room_bytes=str(4 * 1024 * 1024))
    before = resident_mb(processor)
    faults.held.clear()
    sender = make_sender(cloud.broker.url, qos=qos, again_s=2 if qos == 0 else 20)
    event = make_event(device=cloud.device)
    padding = bytes(20_000)
    for start in range(0, number, 250):
        sender.send(
            *(
                replace(event, id=f"{each}", image=event.image + padding, sequence=each)
                for each in range(start, start + 250)
            )
        )
        time.sleep(0.1)
    await_until(lambda: processor.metric("facefleet_messages_held") >= 64, 15, "it has what it takes")
    time.sleep(2)
    assert processor.metric("facefleet_messages_held") < 250
    assert resident_mb(processor) - before < 30
    faults.held.set()
    sender.await_receipts(120)
    assert len(cloud.keys()) == number
    assert resident_mb(processor) - before < 40


def resident_mb(service: Service) -> float:
    assert service._process
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{service._process.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
