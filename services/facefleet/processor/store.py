"""Puts objects into the bucket, each exactly once, and tells which failures may pass.

Source: S3 API reference, "Error responses", and PutObject with `If-None-Match: *` (412 when the key exists,
409 when two puts race).
"""

import enum
import hashlib

from facefleet.processor.verdict import PROBES, Parcel
from facefleet.storage.answer import Answer
from facefleet.storage.connection import ExchangeError
from facefleet.storage.keys import NoKeysError
from facefleet.storage.put import Encryption, Puts, Upload
from facefleet.storage.s3 import S3Settings

PROBE = Parcel(
    Upload(f"{PROBES}processor.txt", b"", hashlib.sha256(b"").digest(), "text/plain", {}),
    device="",
    rejected="",
)

_STORED = 200
_BAD_REQUEST = 400
_ALREADY_THERE = 412
_NEVER_STATUS = {413, 414, 431}
_NEVER_CODES = {"EntityTooLarge", "KeyTooLongError", "MaxMessageLengthExceeded", "MetadataTooLarge"}
_PASSING = {
    "AuthorizationHeaderMalformed", "BadDigest", "ExpiredToken", "IncompleteBody", "InvalidAccessKeyId",
    "InvalidBucketName", "InvalidDigest", "InvalidSecurity", "InvalidToken", "MissingSecurityHeader",
    "NoSuchBucket", "OperationAborted", "RequestTimeTooSkewed", "RequestTimeout", "SignatureDoesNotMatch",
    "SlowDown", "TokenRefreshRequired", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch",
}  # fmt: skip
"""Said with 400, and yet of the transfer, the keys or the bucket: not of the object."""
_PASSING_FAMILY = "KMS."
_REMEDIES_ON_AWS = {
    "AccessDenied": "let the role put under faces/, probes/ and dead-letter/, and use the bucket's KMS key",
    "ExpiredToken": "the role's keys have expired: they are fetched again",
    "InvalidAccessKeyId": "see that the role or the key of the credentials file still exists",
}
_REMEDIES = {
    "AccessDenied": "see that the bucket is there and that the processor may put objects into it",
    "AuthorizationHeaderMalformed": "correct the region",
    "ConditionalRequestConflict": "another put of the same object is on its way: it is tried again",
    "ExpiredToken": "the keys have expired: they are read again",
    "InvalidAccessKeyId": "correct the key in the credentials file",
    "NoSuchBucket": "create the bucket or correct its name",
    "NotImplemented": "use an S3 server that knows If-None-Match",
    "PermanentRedirect": "correct the region",
    "RequestTimeTooSkewed": "set the clock of this host",
    "SignatureDoesNotMatch": "correct the secret in the credentials file",
    "TemporaryRedirect": "correct the region",
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
    """One bucket, for putting only. Thread-safe; each thread has its own connection."""

    def __init__(self, settings: S3Settings, encryption: Encryption = "bucket") -> None:
        self._where = settings.where
        self._remedies = _REMEDIES if settings.s3_endpoint else _REMEDIES | _REMEDIES_ON_AWS
        self._keys_from = (
            "provide the credentials file"
            if settings.s3_endpoint
            else "attach the instance profile, with a metadata hop limit of 2, or provide a credentials file"
        )
        self._puts = Puts(settings, encryption)

    def put(self, parcel: Parcel) -> Put:
        """Put one object unless its key exists.

        Raises:
            MayPassError: try again later.
            NeverError: do not try again.
        """
        try:
            answer = self._puts.put(parcel.upload)
        except NoKeysError as error:
            raise MayPassError(f"bucket {self._where}: no key found ({error}): {self._keys_from}") from error
        except ExchangeError as error:
            raise MayPassError(f"bucket {self._where} unreachable: {error}") from error
        except ValueError as error:
            raise NeverError(str(error)) from error
        if answer.status == _ALREADY_THERE:
            return Put.ALREADY_THERE
        if answer.status != _STORED:
            raise self._refusal(answer)
        if not answer.header("etag"):
            raise MayPassError(f"bucket {self._where}: no S3 server answers there: correct the address")
        return Put.STORED

    def probe(self) -> Put:
        """Prove that the bucket takes puts, leaving no more than one object ever.

        Raises:
            MayPassError: it does not, for now.
        """
        try:
            return self.put(PROBE)
        except NeverError as error:
            raise MayPassError(f"bucket {self._where} takes no object at all: it said {error}") from error

    def close(self) -> None:
        """End the connections; no thread must be putting."""
        self._puts.close()

    def _refusal(self, answer: Answer) -> MayPassError | NeverError:
        said = f"{answer.status} {answer.code}".rstrip()
        if can_never_pass(answer.status, answer.code):
            return NeverError(said)
        remedy = self._remedies.get(answer.code, "it is tried again")
        return MayPassError(f"bucket {self._where} said {said}: {remedy}")


def can_never_pass(status: int, code: str) -> bool:
    """Tell whether a refusal is of the object itself, for ever, or of something that may change."""
    if status in _NEVER_STATUS or code in _NEVER_CODES:
        return True
    if status != _BAD_REQUEST or not code:  # without a code it is not S3 that speaks
        return False
    return code not in _PASSING and not code.startswith(_PASSING_FAMILY)
