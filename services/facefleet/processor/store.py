"""Puts objects into the bucket, each exactly once.

Source: S3 PutObject with `If-None-Match: *` (412 when the key exists, 409 when two puts race).
"""

import base64
import enum
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from facefleet.processor.verdict import Parcel
from facefleet.storage.s3 import S3Settings, client

if TYPE_CHECKING:
    from collections.abc import Callable

PROBE_KEY = "probes/processor"
_ALREADY_THERE = 412
_NEVER = {"EntityTooLarge", "KeyTooLongError", "MetadataTooLarge"}
_KEY_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
_REMEDIES = {
    "NoSuchBucket": "create the bucket or correct its name",
    "AccessDenied": "see that the bucket is there and that the processor may put objects into it",
    "InvalidAccessKeyId": "correct the key in the credentials file",
    "SignatureDoesNotMatch": "correct the secret in the credentials file",
}


class MayPassError(Exception):
    """The put failed for a reason that may pass; the text names the bucket and the remedy."""


class NeverError(Exception):
    """S3 will never take this object."""


class Put(enum.Enum):
    """What a put did."""

    STORED = "stored"
    ALREADY_THERE = "already there"


class Bucket:
    """One bucket, for putting only. Thread-safe."""

    def __init__(
        self,
        settings: S3Settings,
        puts_at_once: int,
        encryption: Literal["bucket", "AES256", "aws:kms"] = "bucket",
    ) -> None:
        self._name = settings.bucket
        self._where = settings.where

        def connect() -> "Callable[..., object]":
            put_object = client(settings, puts_at_once).put_object
            return (
                put_object if encryption == "bucket" else partial(put_object, ServerSideEncryption=encryption)
            )

        self._connect = connect
        self._put_object = connect()

    def put(self, parcel: Parcel) -> Put:
        """Put one object unless its key exists.

        Raises:
            MayPassError: try again later.
            NeverError: do not try again.
        """
        try:
            self._put_object(
                Bucket=self._name,
                Key=parcel.key,
                Body=parcel.body,
                ContentType=parcel.content_type,
                Metadata=parcel.metadata,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(parcel.body).digest()).decode(),
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == _ALREADY_THERE:
                return Put.ALREADY_THERE
            if code in _NEVER:
                raise NeverError(code) from error
            if code in _KEY_REFUSED:
                self._put_object = self._connect()  # the credentials file may be corrected by now
            remedy = _REMEDIES.get(code, "it is tried again")
            raise MayPassError(f"bucket {self._where} said {status} {code}: {remedy}") from error
        except NoCredentialsError as error:
            self._put_object = self._connect()
            raise MayPassError(
                f"bucket {self._where}: no key found: provide the credentials file or the instance role"
            ) from error
        except BotoCoreError as error:
            # The text ends with the object's URL, another for each.
            said = str(error).partition(" URL:")[0]
            raise MayPassError(f"bucket {self._where} unreachable: {said}") from error
        return Put.STORED

    def probe(self) -> Put:
        """Prove that the bucket takes puts, leaving no more than one object ever.

        Raises:
            MayPassError: it does not, for now.
        """
        return self.put(Parcel(PROBE_KEY, "", b"", "text/plain", {}))
