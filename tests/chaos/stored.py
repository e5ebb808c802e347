"""What is in S3: listed with the operator's key, the event's id taken from the object's."""

import collections
import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_s3 import S3Client

from tests.integration.containers import succeeds

BUCKET = "facefleet"
PORT = 8333
READY_WITHIN_S = 90


class Keys:
    """The identities of the cloud stack's S3 server, as its role makes them."""

    ACTIONS = {  # noqa: RUF012
        "admin": ["Admin"],
        "processor": [f"Write:{BUCKET}"],
        "operator": [f"Read:{BUCKET}", f"List:{BUCKET}"],
    }

    def __init__(self, folder: Path) -> None:
        self._secrets = {name: secrets.token_hex(32) for name in self.ACTIONS}
        self.identities = folder / "s3.json"
        self.security = folder / "security.toml"
        self.credentials = folder / "processor.ini"
        folder.mkdir(parents=True)
        self.identities.write_text(
            json.dumps(
                {
                    "identities": [
                        {
                            "name": name,
                            "actions": actions,
                            "credentials": [{"accessKey": name, "secretKey": self._secrets[name]}],
                        }
                        for name, actions in self.ACTIONS.items()
                    ]
                }
            )
        )
        self.security.write_text(f'[s3.sse]\nkek = "{secrets.token_hex(32)}"\n')
        self.credentials.write_text(
            "[default]\naws_access_key_id = processor\n"
            f"aws_secret_access_key = {self._secrets['processor']}\n"
        )

    def client(self, address: str, identity: str) -> S3Client:
        return boto3.client(
            "s3",
            endpoint_url=f"http://{address}:{PORT}",
            region_name="us-east-1",
            aws_access_key_id=identity,
            aws_secret_access_key=self._secrets[identity],
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=2,
                read_timeout=15,
                s3={"addressing_style": "path"},
            ),
        )


class Stored:
    """One bucket; the server's address may change when it starts anew."""

    def __init__(self, keys: Keys, address: Callable[[], str], device: str) -> None:
        self._keys = keys
        self._address = address
        self._device = device
        self._reader: tuple[str, S3Client] | None = None

    def prepare(self) -> None:
        """Make the bucket as the stack does, with versions: a second put of a key must show."""
        admin = self._keys.client(self._address(), "admin")
        with contextlib.closing(admin):
            succeeds(admin.list_buckets, READY_WITHIN_S)
            succeeds(lambda: admin.create_bucket(Bucket=BUCKET), READY_WITHIN_S)
            admin.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            admin.put_bucket_encryption(
                Bucket=BUCKET,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
            )
            # It answers before it can store.
            succeeds(lambda: admin.put_object(Bucket=BUCKET, Key="probes/chaos", Body=b"x"), READY_WITHIN_S)

    def _client(self) -> S3Client:
        address = self._address()
        if self._reader is None or self._reader[0] != address:
            self.close()
            self._reader = address, self._keys.client(address, "operator")
        return self._reader[1]

    def ids(self, camera: str) -> set[str] | None:
        """Return the ids of a camera's events; None when the server does not answer."""
        try:
            return {identity_of(key) for key in self._keys_below(f"faces/{self._device}/{camera}/")}
        except (ClientError, BotoCoreError):
            return None

    def versions(self, camera: str) -> dict[str, int]:
        """Return how often each event is there: every key and every version of it."""
        copies: collections.Counter[str] = collections.Counter()
        pages = (
            self._client()
            .get_paginator("list_object_versions")
            .paginate(Bucket=BUCKET, Prefix=f"faces/{self._device}/{camera}/")
        )
        for page in pages:
            copies.update(identity_of(version["Key"]) for version in page.get("Versions", []))
        return dict(copies)

    def dead(self, camera: str) -> int:
        """Return the number of a camera's dead letters."""
        return sum(1 for _ in self._keys_below(f"dead-letter/{self._device}/{camera}/"))

    def _keys_below(self, prefix: str) -> Iterator[str]:
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry["Key"]

    def close(self) -> None:
        if self._reader:
            self._reader[1].close()
            self._reader = None


def identity_of(key: str) -> str:
    """Return the event's id from `<...>/<time>-<id>.png`."""
    return key.rpartition("/")[2].partition("-")[2].rpartition(".")[0]
