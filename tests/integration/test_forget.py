"""What is to be forgotten goes from a real bucket with all its versions, and nothing else does."""

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from tests.integration.conftest import MakeService
from tests.integration.containers import S3Server
from tests.integration.services import environment
from tests.integration.waiting import await_until

BUCKET = "forgotten"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def admin(s3: S3Server) -> Iterator[S3Client]:
    """The admin of a bucket that keeps versions."""
    client = s3.client("admin")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.await_put(BUCKET, 60)
    yield client
    client.close()


def forget(s3: S3Server, *options: str, identity: str = "eraser") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facefleet.forget", *options],
        env=environment(
            {
                "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials(identity)),
                "FACEFLEET_BUCKET": BUCKET,
                "FACEFLEET_S3_ENDPOINT": s3.url,
            }
        ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def said(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def face(device: str, camera: str, time: datetime) -> str:
    stamp = f"{time:%Y%m%dT%H%M%S}.000Z"
    return f"faces/{device}/{camera}/{time:%Y/%m/%d}/{stamp}-{next(_numbers):08x}.png"


def put(admin: S3Client, *keys: str) -> None:
    for key in keys:
        admin.put_object(Bucket=BUCKET, Key=key, Body=b"0123456789")


def versions(admin: S3Client, device: str) -> list[str]:
    """The keys of all versions and marks that are left of a device."""
    return [
        each["Key"]
        for area in ("faces", "dead-letter", "probes")
        for page in admin.get_paginator("list_object_versions").paginate(
            Bucket=BUCKET, Prefix=f"{area}/{device}/"
        )
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]


def test_a_camera_goes_with_all_its_versions_and_its_namesake_stays(
    s3: S3Server, admin: S3Client, device: str
) -> None:
    day = datetime(2026, 11, 1, 8, tzinfo=UTC)
    twice, deleted, other = (face(device, camera, day) for camera in ("lobby", "lobby", "lobby-2"))
    dead, probe = f"dead-letter/{device}/lobby/ab12", f"probes/{device}/20261101T080000.000Z-p.png"
    put(admin, twice, twice, deleted, other, dead, probe)
    admin.delete_object(Bucket=BUCKET, Key=deleted)
    chosen = ("--device", device, "--camera", "lobby")

    plan = said(forget(s3, "--plan", *chosen))
    numbers = ("objects", "versions", "delete_marks", "bytes")
    assert [plan[name] for name in numbers] == [3, 4, 1, 40]
    assert {(line["area"], line["camera"]) for line in plan["cameras"]} == {
        ("faces", "lobby"),
        ("dead-letter", "lobby"),
    }
    assert len(versions(admin, device)) == 7

    done = said(forget(s3, "--delete", *chosen))
    assert [done[name] for name in numbers] == [3, 4, 1, 40]
    assert done["whole"] is True
    assert versions(admin, device) == [other, probe]
    assert said(forget(s3, "--delete", *chosen))["versions"] == 0


def test_a_span_goes_and_its_neighbours_stay(s3: S3Server, admin: S3Client, device: str) -> None:
    before, first, within, after = (
        face(device, "lobby", datetime.fromisoformat(time))
        for time in (
            "2026-09-30T23:59:59+00:00",
            "2026-10-01T00:00:00+00:00",
            "2026-11-07T00:00:00+00:00",
            "2026-11-08T00:00:00+00:00",
        )
    )
    put(admin, before, first, within, after)
    done = said(forget(s3, "--delete", "--device", device, "--from", "2026-10-01", "--to", "2026-11-08"))
    assert done["objects"] == 2
    assert (done["first"], done["last"]) == ("2026-10-01T00:00:00Z", "2026-11-07T00:00:00Z")
    assert versions(admin, device) == [before, after]


def test_more_than_one_request_takes_and_what_arrives_meanwhile(
    s3: S3Server, admin: S3Client, device: str
) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    keys = [face(device, "lobby", day) for _ in range(1_050)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(admin, key), keys))
    stop = threading.Event()
    arrived = 0

    def camera_goes_on() -> None:
        nonlocal arrived
        while not stop.is_set():
            put(admin, face(device, "lobby", day))
            arrived += 1

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(camera_goes_on)
        # A part of a pass that has no time does one request's worth at the most, and says that there is more.
        part = said(forget(s3, "--delete", "--device", device, "--seconds", "0.01"))
        stop.set()
        sending.result()
    assert part["whole"] is False
    deleted = part["objects"]
    while left := said(forget(s3, "--delete", "--device", device))["objects"]:
        deleted += left
    assert deleted == 1_050 + arrived
    assert arrived > 0
    assert versions(admin, device) == []


def test_keys_that_may_not_delete_are_named(s3: S3Server, admin: S3Client, device: str) -> None:
    key = face(device, "lobby", datetime(2026, 11, 1, tzinfo=UTC))
    put(admin, key)
    refused = forget(s3, "--delete", "--device", device, identity="operator")
    assert refused.returncode == 1
    answer = json.loads(refused.stdout)
    assert (answer["objects"], answer["refused"]) == (0, 1)
    assert answer["refusals"][0]["key"] == key
    assert "DeleteObjectVersion" in answer["refusals"][0]["reason"]
    unread = forget(s3, "--plan", "--device", device, identity="processor")
    assert unread.returncode == 1
    assert "AccessDenied: these keys need ListBucketVersions" in unread.stderr
    assert versions(admin, device) == [key]


def test_who_deletes_cannot_look(s3: S3Server, admin: S3Client, device: str) -> None:
    key = face(device, "lobby", datetime(2026, 11, 1, tzinfo=UTC))
    put(admin, key)
    eraser = s3.client("eraser")
    with pytest.raises(ClientError, match="AccessDenied"):
        eraser.get_object(Bucket=BUCKET, Key=key)
    eraser.close()


def test_a_selection_is_checked_without_a_bucket(s3: S3Server) -> None:
    refused = forget(s3, "--check", "--camera", "lobby")
    assert refused.returncode == 1
    assert "needs its device" in refused.stderr
    assert said(forget(s3, "--check", "--device", "a"))["selection"] == "a"


def test_what_was_kept_long_enough_goes_by_itself(
    s3: S3Server, admin: S3Client, device: str, make_service: MakeService
) -> None:
    wrong_clock, today = (
        face(device, "lobby", time) for time in (datetime(2038, 1, 1, tzinfo=UTC), datetime.now(UTC))
    )
    dead = f"dead-letter/{device}/lobby/ab12"
    put(admin, wrong_clock, today, dead)
    keeper = make_service(
        "forget.keeper",
        {
            "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials("eraser")),
            "FACEFLEET_BUCKET": BUCKET,
            "FACEFLEET_S3_ENDPOINT": s3.url,
            "FACEFLEET_FACES_DAYS": str(3 / 86_400),
            "FACEFLEET_EVERY_S": "0.5",
            "FACEFLEET_CLOCK": "trusted",
        },
    )
    await_until(lambda: versions(admin, device) == [dead], 30, "the faces are gone, dead letters are kept")
    keeper.await_healthy()
    assert keeper.lines("kept long enough, deleted", "area=faces")
    young = face(device, "lobby", datetime.now(UTC))
    put(admin, young)
    assert young in versions(admin, device)
    assert keeper.stop() == 0
