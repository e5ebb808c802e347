"""AWS Signature Version 4 of one request, headers only.

Source: Amazon S3 API reference, "Authenticating Requests: Using the Authorization Header".
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
_KEPT_IN_PATH = "/-_.~"


class Keys(NamedTuple):
    """What a request is signed with. `token` is empty for keys that do not expire."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        """Show no secret."""
        return f"Keys({self.access_key!r})"


class Scope(NamedTuple):
    """Where and on which day (UTC, `yyyymmdd`) a signing key counts."""

    day: str
    region: str
    service: str = "s3"

    def __str__(self) -> str:
        """Return the form in the credential."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def amz_date(seconds: float) -> str:
    """Return seconds since 1970 as `yyyymmddThhmmssZ`."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def path_of(*segments: str) -> str:
    """Return the path of a bucket or key, encoded once as S3 wants it; slashes within stay."""
    return "/" + "/".join(quote(segment, safe=_KEPT_IN_PATH) for segment in segments)


def signing_key(secret_key: str, scope: Scope) -> bytes:
    """Derive the key that signs all requests of one day, region and service."""
    key = f"AWS4{secret_key}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def authorization(
    keys: Keys,
    scope: Scope,
    key: bytes,
    request: tuple[str, str, str],
    headers: Mapping[str, str],
) -> str:
    """Return the value of the Authorization header.

    Args:
        keys: whose access key is named.
        scope: must be of the same day as the header `x-amz-date`.
        key: `signing_key` of both.
        request: method, encoded path, and canonical query string (often empty).
        headers: all that is signed: lower-case names, among them `host`, `x-amz-date` and
            `x-amz-content-sha256`.
    """
    names = sorted(headers)
    signed = ";".join(names)
    lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
    canonical = "\n".join((*request, lines, signed, headers["x-amz-content-sha256"]))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{headers['x-amz-date']}\n{scope}\n{digest}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={keys.access_key}/{scope},SignedHeaders={signed},Signature={signature}"
