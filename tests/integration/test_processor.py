"""The processor between a real broker and a real S3 server."""

import base64
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Outcome
from facefleet.processor.verdict import face_key
from mypy_boto3_s3 import S3Client

from tests.conftest import MakeEvent
from tests.integration.conftest import Camera, MakeProxy, MakeService
from tests.integration.containers import Broker, S3Server, succeeds
from tests.integration.services import Service
from tests.integration.waiting import await_until

MakeCamera = Callable[[int], Camera]


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
            "client_id": f"{self.device}-processor",
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


def test_a_message_is_acknowledged_only_after_it_was_stored(
    cloud: Cloud, make_proxy: MakeProxy, make_camera: MakeCamera, make_event: MakeEvent
) -> None:
    """Killed while S3 is away, the processor gets the message again."""
    proxy = make_proxy(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=f"http://127.0.0.1:{proxy.port}")
    proxy.refuse()
    event = make_event(device=cloud.device)
    camera = make_camera(cloud.broker.port)
    camera.publish(event)
    await_until(lambda: processor.metric("facefleet_messages_held") == 1, 15, "it was taken")
    processor.kill()
    proxy.allow()
    assert cloud.keys() == []
    processor.start()
    assert cloud.await_keys(1) == [face_key(event, "png")]
    # And then it is acknowledged: a third processor gets nothing.
    await_until(lambda: processor.metric("facefleet_messages_held") == 0, 15, "it is acknowledged")
    assert processor.stop() == 0
    processor.start()
    processor.await_healthy()
    camera.publish(make_event(device=cloud.device))
    cloud.await_keys(2)
    assert processor.metric("facefleet_repeats_absorbed_total") == 0


def test_an_s3_server_that_hangs_loses_nothing(
    cloud: Cloud, make_camera: MakeCamera, make_event: MakeEvent
) -> None:
    processor = cloud.processor()
    events = [make_event(device=cloud.device) for _ in range(40)]
    cloud.s3.pause()
    try:
        make_camera(cloud.broker.port).publish(*events)
        await_until(lambda: processor.metric("facefleet_messages_held") == 32, 15, "the window is full")
        processor.kill()
        processor.start()
    finally:
        cloud.s3.unpause()
    assert set(cloud.await_keys(40)) == {face_key(event, "png") for event in events}


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
    cloud: Cloud, make_camera: MakeCamera, make_event: MakeEvent
) -> None:
    processor = cloud.processor()
    camera = make_camera(cloud.broker.port)
    good: list[FaceEvent] = []
    for bad in BAD.values():
        event = make_event(device=cloud.device, content_type=bad.content_type)
        if bad.image is not None:
            event = replace(event, image=bad.image)
        camera.publish(
            event,
            topic=f"{cloud.device}/{cloud.device}/{bad.level}",
            properties=list((dict(event.attributes()) | dict(bad.attributes)).items()),
        )
        good.append(make_event(device=cloud.device))
        camera.publish(good[-1])
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
    broker: Broker, own_s3: S3Server, device: str, make_service: MakeService, make_scene: MakeScene
) -> None:
    cloud = cloud_of(broker, own_s3, device, make_service)
    processor = cloud.processor()
    camera, events = make_scene(broker.port, 200)
    camera.publish(*events[:80])
    cloud.await_keys(40)
    own_s3.kill()
    camera.publish(*events[80:140])
    await_until(lambda: "bucket" in " ".join(processor.problems()), 30, "the health file says so")
    assert processor.lines("level=warning", "put failed, trying again", "faces at http")
    own_s3.start()
    camera.publish(*events[140:])
    keys = cloud.await_keys(200, timeout=90)
    assert len(keys) == 200
    assert set(keys) == {face_key(event, "png") for event in events}
    await_until(lambda: processor.metric("facefleet_messages_held") == 0, 15, "all are acknowledged")
    stored = processor.metric("facefleet_faces_stored_total")
    assert stored + processor.metric("facefleet_repeats_absorbed_total") == 200
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
    assert "provide the credentials file or the instance role" in line
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


@pytest.mark.parametrize("qos", ["0", "2"])
def test_it_stores_with_any_qos(cloud: Cloud, make_scene: MakeScene, qos: str) -> None:
    processor = cloud.processor(qos=qos)
    camera, events = make_scene(cloud.broker.port, 50)
    assert set(camera.publish(*events, qos=int(qos))) == {Outcome.ACCEPTED}
    assert set(cloud.await_keys(50)) == {face_key(event, "png") for event in events}
    await_until(lambda: processor.metric("facefleet_messages_held") == 0, 15, "nothing is held")


def test_it_stops_cleanly_and_soon_while_s3_is_away(
    cloud: Cloud, make_proxy: MakeProxy, make_scene: MakeScene
) -> None:
    proxy = make_proxy(cloud.s3.port)
    processor = cloud.processor(s3_endpoint=f"http://127.0.0.1:{proxy.port}")
    proxy.refuse()
    camera, events = make_scene(cloud.broker.port, 100)
    camera.publish(*events)
    await_until(lambda: processor.metric("facefleet_messages_held") == 32, 15, "the window is full")
    assert processor.stop() == 0
    proxy.allow()
    processor.start()
    assert set(cloud.await_keys(100)) == {face_key(event, "png") for event in events}
