"""Lists and deletes the versions in a bucket.

Source: S3 ListObjectVersions and DeleteObjects. In a bucket without versions each version is called `null`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from facefleet.forget.account import Account, Found
from facefleet.forget.selection import Reach
from facefleet.storage.s3 import S3Settings, client

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

BATCH_MOST = 1000
"""What DeleteObjects takes at once."""
ATTEMPTS = 5
"""A server that is asked for much says now and then that it is asked for too much."""
_REMEDIES = {
    "NoSuchBucket": "correct the bucket's name",
    "AccessDenied": "these keys need ListBucketVersions and DeleteObjectVersion on this bucket: use others",
    "InvalidAccessKeyId": "correct the keys",
    "SignatureDoesNotMatch": "correct the keys",
}


class Meant(Protocol):
    """What is looked for."""

    @property
    def roots(self) -> list[str]:
        """Return the folders in which all of it lies."""

    def reach(self, folder: str) -> Reach:
        """Return how much of a folder may be meant."""

    def means(self, key: str, modified: datetime) -> bool:
        """Say whether an object is meant."""


class BucketError(Exception):
    """The bucket cannot be listed or emptied; the text names it and the remedy."""


class Refusal(NamedTuple):
    """A version that the server did not delete."""

    key: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Page:
    folders: list[str]
    found: list[Found]


class Bucket:
    """One bucket."""

    def __init__(self, settings: S3Settings) -> None:
        """Name the bucket.

        Raises:
            BucketError: there is no such endpoint or region.
        """
        self.where = settings.where
        self._name = settings.bucket
        try:
            self._client = client(settings, attempts=ATTEMPTS)
        except BotoCoreError as error:
            raise self._trouble(error) from error

    def selected(self, meant: Meant) -> Iterator[Found]:
        """Yield what is meant, key by key; no folder is listed in which there is none of it.

        Raises:
            BucketError: the bucket cannot be listed.
        """
        for root in meant.roots:
            yield from self._walk(root, meant)

    def erase(self, batch: Sequence[Found], account: Account) -> list[Refusal]:
        """Delete a batch and count what went; return what stays. See `delete`."""
        refused = self.delete(batch)
        stays = {(each.key, each.version) for each in refused}
        for each in batch:
            if (each.key, each.version) not in stays:
                account.add(each)
        return refused

    def delete(self, batch: Sequence[Found]) -> list[Refusal]:
        """Delete at most BATCH_MOST versions, for ever; return those that are still there.

        Raises:
            BucketError: the server takes no such request.
        """
        try:
            answer = self._client.delete_objects(
                Bucket=self._name,
                Delete={
                    "Objects": [{"Key": each.key, "VersionId": each.version} for each in batch],
                    "Quiet": True,
                },
            )
        except (BotoCoreError, ClientError) as error:
            raise self._trouble(error) from error
        return [
            Refusal(
                each.get("Key", "?"),
                each.get("VersionId", ""),
                self._reason(each.get("Code", "unknown"), each.get("Message", "")),
            )
            for each in answer.get("Errors", [])
        ]

    def _walk(self, folder: str, meant: Meant) -> Iterator[Found]:
        match meant.reach(folder):
            case Reach.NONE:
                return
            case Reach.ALL:
                for page in self._pages(folder, ""):
                    yield from page.found
            case Reach.SOME:
                for page in self._pages(folder, "/"):
                    yield from (each for each in page.found if meant.means(each.key, each.modified))
                    for below in page.folders:
                        yield from self._walk(below, meant)

    def _pages(self, prefix: str, delimiter: str) -> Iterator[_Page]:
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._name, Prefix=prefix, Delimiter=delimiter
        )
        try:
            for page in pages:
                yield _page(page)
        except (BotoCoreError, ClientError) as error:
            raise self._trouble(error) from error

    def _trouble(self, error: BotoCoreError | ClientError) -> BucketError:
        if isinstance(error, ClientError):
            fault = error.response["Error"]
            reason = self._reason(fault.get("Code", "unknown"), fault.get("Message", ""))
        else:
            reason = str(error)
        return BucketError(f"bucket {self.where}: {reason}")

    def _reason(self, code: str, message: str) -> str:
        return f"{code}: {_REMEDIES.get(code) or message or 'see the log of the server'}"


def _page(page: "ListObjectVersionsOutputTypeDef") -> _Page:
    """Return a page with versions and marks in the order of their keys."""
    found = [
        Found(each["Key"], each["VersionId"], each["Size"], each["LastModified"])
        for each in page.get("Versions", [])
    ]
    found += [
        Found(each["Key"], each["VersionId"], 0, each["LastModified"], is_mark=True)
        for each in page.get("DeleteMarkers", [])
    ]
    found.sort(key=lambda each: each.key)
    return _Page([each["Prefix"] for each in page.get("CommonPrefixes", [])], found)
