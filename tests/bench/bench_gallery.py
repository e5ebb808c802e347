"""How fast the gallery shows a page of a bucket of a million faces, against listing the bucket for it.

`python -m tests.bench --only gallery`
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from facefleet.gallery.people import hashed

from tests.bench.listing import BUCKET, served
from tests.bench.table import Row, Target, say
from tests.integration.gallery_site import PASSWORD, PERSON, Visitor
from tests.integration.services import Service
from tests.integration.waiting import await_until, free_port

KEYS, KEYS_SMOKE = 1_000_000, 10_000
ROUNDS, ROUNDS_SMOKE = 30, 2
PAGES = {
    "first page": "/",
    "first page of a device": "/?device=device-017",
    "a camera's day": "/?device=device-017&camera=yard&day=2026-11-24",
    "all of an hour": "/?day=2026-11-24&hour=7",
}
NOBODY = "mqtt://127.0.0.1:9"
"""New faces are not what is measured."""


def run(*, smoke: bool) -> Iterable[Row]:
    """Measure pages of a bucket that was read before, and the first page of one that was not."""
    keys, rounds = (KEYS_SMOKE, ROUNDS_SMOKE) if smoke else (KEYS, ROUNDS)
    with tempfile.TemporaryDirectory() as scratch, served(keys) as endpoint:
        folder = Path(scratch)
        (folder / "keys.ini").write_text("[default]\naws_access_key_id = x\naws_secret_access_key = x\n")
        (folder / "people.json").write_text(json.dumps({PERSON: hashed(PASSWORD)}))
        begun = time.perf_counter()
        with gallery(folder, endpoint) as (service, visitor):
            await_until(lambda: visitor.get("/").cards, 120)
            cold = time.perf_counter() - begun
            listed = list(listing(endpoint, rounds=1 if not smoke else rounds))
            await_until(lambda: service.lines("bucket read"), 1800, "the whole bucket was read")
            whole = float(re.findall(r"seconds=(\S+)", service.lines("bucket read")[-1])[0])
            say(f"gallery: {keys} keys read in {whole:.0f} s", sys.stderr)
            for what, path in PAGES.items():
                yield Row(
                    "gallery",
                    f"{what}, {keys:,} keys",
                    "ms",
                    [asked(visitor, path) for _ in range(rounds)],
                    target=Target("at most", 300),
                )
            against = [asked(visitor, "/") for _ in range(len(listed))]
            yield Row("gallery", "first page", "ms", against, listed, "list the bucket and sort")
        begun = time.perf_counter()
        with gallery(folder, endpoint) as (_, visitor):
            again = [(time.perf_counter() - begun) * 1000]
            yield Row(
                "gallery",
                "ready after a restart",
                "ms",
                again,
                [cold * 1000],
                "the first start: an empty index",
            )


@contextmanager
def gallery(folder: Path, endpoint: str) -> Iterator[tuple[Service, Visitor]]:
    """Run a gallery; yield it with somebody who is signed in."""
    port = free_port()
    settings = {
        "FACEFLEET_BROKER": NOBODY,
        "FACEFLEET_BUCKET": BUCKET,
        "FACEFLEET_S3_ENDPOINT": endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "keys.ini"),
        "FACEFLEET_ADDRESS": "127.0.0.1",
        "FACEFLEET_PORT": str(port),
        "FACEFLEET_PEOPLE_FILE": str(folder / "people.json"),
        "FACEFLEET_STATE_DIR": str(folder),
    }
    service = Service("gallery", folder, settings)
    visitor = Visitor(f"http://127.0.0.1:{port}")
    service.start()
    try:
        await_until(lambda: answers(visitor), 30, f"the gallery answers:\n{service.log()}")
        visitor.sign_in()
        yield service, visitor
    finally:
        service.stop()


def answers(visitor: Visitor) -> bool:
    """Return whether pages are served."""
    try:
        return visitor.get("/healthy").status == 200
    except OSError:
        return False


def asked(visitor: Visitor, path: str) -> float:
    """Return how long a page takes, in milliseconds."""
    begun = time.perf_counter()
    answer = visitor.get(path)
    assert answer.status == 200
    assert answer.cards
    return (time.perf_counter() - begun) * 1000


def listing(endpoint: str, rounds: int) -> Iterator[float]:
    """Yield how long it takes to list all and take the newest, in milliseconds: what one would do first."""
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(s3={"addressing_style": "path"}),
    )
    for _ in range(rounds):
        begun = time.perf_counter()
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="faces/")
        keys = [entry["Key"] for page in pages for entry in page["Contents"]]
        newest = sorted(keys, key=lambda key: key.rpartition("/")[2], reverse=True)[:60]
        assert newest
        yield (time.perf_counter() - begun) * 1000
