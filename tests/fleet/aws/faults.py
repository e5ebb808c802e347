"""Makes the account fail at one call, once, as it does in real life: refused, or done and never heard of."""

import io
import json
from collections.abc import Callable, Iterable
from typing import Any, Literal
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
When = Literal["before", "after"]
"""Whether the call is refused, or carried out although its answer says that it was refused."""

_S3 = {
    "policy": "BucketPolicy",
    "versioning": "BucketVersioning",
    "encryption": "BucketEncryption",
    "publicAccessBlock": "PublicAccessBlock",
    "lifecycle": "BucketLifecycleConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "tagging": "BucketTagging",
}
_ERRORS = {
    "ec2": "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>{0}</Message></Error>"
    "</Errors><RequestID>1</RequestID></Response>",
    "s3": "<Error><Code>AccessDenied</Code><Message>{0}</Message></Error>",
}
_ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{0}</Message></Error>"
    "<RequestId>1</RequestId></ErrorResponse>"
)


class Faults:
    """The faults that wait for their call."""

    def __init__(self, account: Wsgi) -> None:
        self._account = account
        self._waiting: dict[str, When] = {}
        self.calls: list[str] = []
        """What was asked for since the list was last taken."""

    def arm(self, action: str, when: When) -> None:
        """Let the next call of this name fail."""
        self._waiting[action] = when

    @property
    def waiting(self) -> list[str]:
        """Return the calls that did not come yet."""
        return list(self._waiting)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass a request on, or let it fail."""
        request = Request(environ)
        service, action = _named(request)
        self.calls.append(f"{service}:{action}")
        when = self._waiting.pop(action, None)
        if when is None:
            return self._account(environ, start_response)
        if when == "after":
            Response.from_app(self._account, environ)
        body = _ERRORS.get(service, _ERROR).format(f"a fault of the test: {action}")
        return Response(body, 403, content_type="text/xml")(environ, start_response)


def _named(request: Request) -> tuple[str, str]:
    """Return the service and the call's name in AWS's words, as far as faults need it."""
    scope = request.headers.get("Authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    service = scope[3] if len(scope) > 3 else ""
    if service != "s3":
        body = request.get_data(cache=False)
        request.environ["wsgi.input"] = io.BytesIO(body)
        return service, parse_qs(body.decode("latin-1")).get("Action", [""])[0]
    verb = request.method.capitalize()
    for query, name in _S3.items():
        if query in request.args:
            return service, verb + name
    if request.path.strip("/").count("/") == 0:
        return service, {"Put": "CreateBucket", "Delete": "DeleteBucket"}.get(verb, f"{verb}Bucket")
    return service, f"{verb}Object"


def from_json(body: bytes) -> tuple[str, When]:
    """Return what to arm."""
    said = json.loads(body)
    when: When = said["when"]
    return said["action"], when
