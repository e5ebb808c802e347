"""Reads the bucket, with keys that can do nothing else.

Source: S3 ListObjectsV2, HeadObject and GetObject.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from facefleet.gallery.face import Face, Traits, traits_of
from facefleet.storage.s3 import S3Settings, client
from facefleet.storage.trouble import told

AT_ONCE = 16


class Bucket:
    """One bucket, for reading. Thread-safe."""

    def __init__(self, settings: S3Settings) -> None:
        self._name = settings.bucket
        self._where = settings.where
        self._client = client(settings, AT_ONCE)

    def folders(self, prefix: str) -> list[str]:
        """Return the names of what looks like folders below a prefix that ends with a slash."""
        found: list[str] = []
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=prefix, Delimiter="/"
        )
        with self._trouble():
            for page in pages:
                found += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        return [name.removeprefix(prefix).removesuffix("/") for name in found]

    def pages(self, prefix: str) -> Iterator[list[str]]:
        """Yield the keys below a prefix, in order, as many at a time as S3 tells at once."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        with self._trouble():
            for page in pages:
                yield [entry["Key"] for entry in page.get("Contents", [])]

    def metadata(self, face: Face) -> dict[str, str]:
        """Return a face's attributes.

        Raises:
            AbsentError: it is not there.
            UnreadableError: S3 does not answer or refuses.
        """
        with self._trouble():
            return dict(self._client.head_object(Bucket=self._name, Key=face.key)["Metadata"])

    def traits(self, face: Face) -> Traits:
        """Return what groups it; see `metadata`."""
        return traits_of(self.metadata(face))

    def image(self, face: Face) -> tuple[bytes, str]:
        """Return a face's encoded image and its content type; see `metadata`."""
        with self._trouble():
            answer = self._client.get_object(Bucket=self._name, Key=face.key)
            return answer["Body"].read(), answer["ContentType"]

    def _trouble(self) -> AbstractContextManager[None]:
        return told(self._where, "gallery")
