"""The bucket, as the depot uses it.

Source: S3 GetObject (ranges, conditions), PutObject (conditions, checksums), ListObjectsV2,
ListObjectVersions, DeleteObject.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from facefleet.storage.s3 import S3Settings, client
from facefleet.storage.trouble import AbsentError, UnreadableError, told

AT_ONCE = 16
ATTEMPTS = 3
DOCUMENT_MOST_BYTES = 4 * 1024 * 1024
_REFUSED = {"403", "AccessDenied"}
_PRECONDITION = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}


class ChangedError(Exception):
    """Somebody else wrote the object meanwhile."""


class Document(NamedTuple):
    """A small object, and what tells it from what it was before."""

    content: bytes
    tag: str


class Listed(NamedTuple):
    """What a listing tells of an object."""

    key: str
    size: int
    modified: datetime


class Store:
    """One bucket. Thread-safe.

    Each method raises UnreadableError when S3 does not answer or refuses.
    """

    def __init__(self, settings: S3Settings) -> None:
        self.where = settings.where
        self._name = settings.bucket
        self._client = client(settings, AT_ONCE, attempts=ATTEMPTS)

    def read(self, key: str) -> Document:
        """Return a document.

        Raises:
            AbsentError: there is none.
        """
        with self._trouble(key):
            answer = self._client.get_object(Bucket=self._name, Key=key)
            with answer["Body"] as body:
                content = body.read(DOCUMENT_MOST_BYTES + 1)
        if len(content) > DOCUMENT_MOST_BYTES:
            raise UnreadableError(f"bucket {self.where}: {key} is larger than {DOCUMENT_MOST_BYTES} bytes")
        return Document(content, answer["ETag"])

    def tag(self, key: str) -> str:
        """Return what tells an object from what it was before, or nothing if it is not there."""
        try:
            return str(self._head(key)["ETag"])
        except AbsentError:
            return ""

    def size(self, key: str) -> tuple[int, str]:
        """Return how many bytes an object has, and its tag.

        Raises:
            AbsentError: there is none.
        """
        head = self._head(key)
        return head["ContentLength"], head["ETag"]

    def piece(self, key: str, first: int, end: int, tag: str) -> bytes:
        """Return bytes from `first` on, before `end`, of the object with that tag.

        Raises:
            AbsentError: it is there no more, or it is another.
        """
        with self._trouble(key):
            try:
                answer = self._client.get_object(
                    Bucket=self._name, Key=key, Range=f"bytes={first}-{end - 1}", IfMatch=tag
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in _PRECONDITION:
                    raise AbsentError from error
                raise
            with answer["Body"] as body:
                return body.read()

    def write(self, key: str, content: bytes, *, kind: str = "application/json") -> None:
        """Write a document, over the one before."""
        self._put(key, content, kind)

    def replace(self, key: str, content: bytes, before: Document) -> None:
        """Write a document over one that was read.

        Raises:
            ChangedError: it is another by now.
        """
        self._put(key, content, "application/json", IfMatch=before.tag)

    def upload(self, key: str, file: Path, digest: bytes) -> None:
        """Store a file unless the key is there; S3 checks its SHA-256."""
        with file.open("rb") as body:
            try:
                self._put(
                    key,
                    body,
                    "application/octet-stream",
                    IfNoneMatch="*",
                    ChecksumSHA256=base64.b64encode(digest).decode(),
                )
            except ChangedError:
                return

    def listing(self, prefix: str) -> Iterator[Listed]:
        """Yield what is below a prefix, in the order of the keys."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        with self._trouble():
            for page in pages:
                for each in page.get("Contents", []):
                    yield Listed(each["Key"], each["Size"], each["LastModified"])

    def erase(self, key: str) -> None:
        """Delete an object for ever: where the bucket has versions, all of them."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._name, Prefix=key)
        with self._trouble(doing="emptied"):
            for page in pages:
                for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    if each["Key"] == key:
                        self._client.delete_object(Bucket=self._name, Key=key, VersionId=each["VersionId"])

    def _head(self, key: str) -> Any:
        with self._trouble(key):
            return self._client.head_object(Bucket=self._name, Key=key)

    def _put(self, key: str, body: Any, kind: str, **more: Any) -> None:
        with self._trouble(doing="written"):
            try:
                self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=kind, **more)
            except ClientError as error:
                if error.response["Error"]["Code"] in _PRECONDITION:
                    raise ChangedError(key) from error
                raise

    @contextmanager
    def _trouble(self, key: str | None = None, doing: str = "read") -> Iterator[None]:
        try:
            with told(self.where, "depot", doing):
                yield
        except UnreadableError as error:
            # AWS says `denied` for `absent` to whose right to list is bound to a prefix.
            cause = error.__cause__
            denied = isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _REFUSED
            if key and denied and not any(each.key == key for each in self.listing(key)):
                raise AbsentError from error
            raise
