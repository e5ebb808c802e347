"""Says in our own words why a bucket cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

_ABSENT = {"404", "NoSuchKey"}
_REMEDIES = {
    "403": "let the {who}'s key read and list it",
    "AccessDenied": "let the {who}'s key read and list it",
    "InvalidAccessKeyId": "see that its key still exists",
    "NoSuchBucket": "correct its name, or run site.yml: it makes the bucket",
    "SignatureDoesNotMatch": "correct the secret in the credentials file",
}


class UnreadableError(Exception):
    """The bucket cannot be used now; the text names it and the remedy."""


class AbsentError(Exception):
    """There is no such object, or no more."""


@contextmanager
def told(where: str, who: str, what: str = "read") -> Iterator[None]:
    """Tell of a bucket and of the service that uses it.

    Raises:
        AbsentError: what was asked for is not there.
        UnreadableError: S3 does not answer or refuses.
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _ABSENT:
            raise AbsentError from error
        remedy = _REMEDIES.get(code, "see the server's log").format(who=who)
        raise UnreadableError(f"bucket {where} cannot be {what}, {code}: {remedy}") from error
    except BotoCoreError as error:
        raise UnreadableError(f"bucket {where} cannot be {what}: {error}") from error
