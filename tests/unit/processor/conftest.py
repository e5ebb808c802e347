"""A bucket of which a test says what it answers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from facefleet.processor.store import Bucket
from facefleet.storage.s3 import S3Settings

from tests.unit.storage.scripted import ScriptedServer

Reply = Callable[[bytes, bytes], bytes]
MakeBucket = Callable[[Reply], Bucket]


@pytest.fixture
def make_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MakeBucket]:
    """Make a bucket on a server that answers a request's head and body with what a function returns."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    keys = tmp_path / "keys.ini"
    keys.write_text("[default]\naws_access_key_id = test\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    made: list[tuple[ScriptedServer, Bucket]] = []

    def make(reply: Reply) -> Bucket:
        server = ScriptedServer(reply)
        bucket = Bucket(S3Settings.model_validate({"bucket": "faces", "s3_endpoint": server.url}))
        made.append((server, bucket))
        return bucket

    yield make
    for server, bucket in made:
        bucket.close()
        server.close()
