"""Reads the bucket.

Source: S3 ListObjectsV2 and GetObject.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from facefleet.storage.faces import DEAD_LETTERS, FACES, StoredFace, read_key
from facefleet.storage.s3 import S3Settings, client

GETS_AT_ONCE = 8
_REMEDIES = {
    "NoSuchBucket": "create the bucket or correct --bucket",
    "AccessDenied": "use credentials that may list and read this bucket",
    "InvalidAccessKeyId": "correct the key in the credentials file",
    "SignatureDoesNotMatch": "correct the secret in the credentials file",
}


class BucketError(Exception):
    """The bucket cannot be read; the text names it and the remedy."""


class Bucket:
    """One bucket, for reading only."""

    def __init__(self, name: str, endpoint: str | None) -> None:
        """Name the bucket; without an endpoint it is on AWS.

        Raises:
            BucketError: when the name or the endpoint is impossible.
        """
        try:
            self._settings = S3Settings.model_validate({"bucket": name, "s3_endpoint": endpoint})
        except ValidationError as error:
            fault = error.errors()[0]
            option = "--bucket" if "bucket" in fault["loc"] else "--endpoint"
            raise BucketError(f"{option} {fault['input']!r} is impossible: {fault['msg']}") from None
        self.where = self._settings.where
        try:
            self._client = client(self._settings, GETS_AT_ONCE)
        except BotoCoreError as error:
            raise self._unreadable(error) from error

    def faces(self) -> list[StoredFace]:
        """Return all stored faces.

        Raises:
            BucketError: when the bucket cannot be listed.
        """
        return [face for key in self._keys(FACES) if (face := read_key(key))]

    def dead_letters(self) -> list[str]:
        """Return the keys of all dead letters.

        Raises:
            BucketError: when the bucket cannot be listed.
        """
        return self._keys(DEAD_LETTERS)

    def images(self, faces: Sequence[StoredFace]) -> list[bytes]:
        """Return the encoded images of faces, in their order.

        Raises:
            BucketError: when one cannot be read.
        """
        with ThreadPoolExecutor(GETS_AT_ONCE) as pool:
            return list(pool.map(self._get, [face.key for face in faces]))

    def _keys(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.bucket, Prefix=prefix
        )
        try:
            return [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as error:
            raise self._unreadable(error) from error

    def _get(self, key: str) -> bytes:
        try:
            return self._client.get_object(Bucket=self._settings.bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: BotoCoreError | ClientError) -> BucketError:
        if isinstance(error, ClientError):
            code = error.response["Error"]["Code"]
            remedy = _REMEDIES.get(code, "see the server's log")
            return BucketError(f"bucket {self.where} cannot be read, {code}: {remedy}")
        return BucketError(f"bucket {self.where} cannot be read: {error}")
