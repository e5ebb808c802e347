"""What a put sends."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator

import pytest
from botocore.credentials import Credentials
from facefleet.storage import keys as keys_module
from facefleet.storage.keys import KeyRing
from facefleet.storage.put import Encryption, Puts, Upload, place
from facefleet.storage.s3 import S3Settings

from tests.unit.storage.conftest import MakeServer
from tests.unit.storage.scripted import OK, answer

BODY = b"picture"


def upload(**metadata: str) -> Upload:
    return Upload("faces/a b/1.png", BODY, hashlib.sha256(BODY).digest(), "image/png", metadata)


def settings(**changes: str) -> S3Settings:
    return S3Settings.model_validate({"bucket": "faces", **changes})


@pytest.fixture
def puts_to() -> Iterator[Callable[..., Puts]]:
    made: list[Puts] = []

    def make(
        url: str, encryption: Encryption = "bucket", find: Callable[[], Credentials] | None = None
    ) -> Puts:
        ring = KeyRing(find or (lambda: Credentials("AKID", "hidden-secret", "session-token")))
        made.append(Puts(settings(s3_endpoint=url), encryption, ring))
        return made[-1]

    yield make
    for each in made:
        each.close()


def headers(request: bytes) -> dict[str, str]:
    return dict(line.split(":", 1) for line in request.decode().split("\r\n")[1:])


def test_a_put_is_conditional_signed_and_checked(
    make_server: MakeServer, puts_to: Callable[..., Puts]
) -> None:
    server = make_server()
    assert puts_to(server.url, "AES256").put(upload(camera="lobby")).status == 200
    ((request, body),) = server.requests
    sent = headers(request)
    digest = hashlib.sha256(BODY)
    assert request.startswith(b"PUT /faces/faces/a%20b/1.png HTTP/1.1\r\n")
    assert body == BODY
    assert sent.pop("host") == f"127.0.0.1:{server.port}"
    assert sent.pop("x-amz-content-sha256") == digest.hexdigest()
    assert sent.pop("x-amz-checksum-sha256") == base64.b64encode(digest.digest()).decode()
    assert re.fullmatch(r"\d{8}T\d{6}Z", sent.pop("x-amz-date"))
    signed = sent.pop("authorization")
    assert sent == {
        "if-none-match": "*",
        "content-type": "image/png",
        "content-length": str(len(BODY)),
        "x-amz-meta-camera": "lobby",
        "x-amz-security-token": "session-token",
        "x-amz-server-side-encryption": "AES256",
    }
    assert all(f"{name}" in signed for name in sent if name != "content-length")
    assert b"hidden-secret" not in request


@pytest.mark.parametrize("value", ["ü", "a\r\nx-amz-acl: public-read", "a\nb", "\x00", "a\x7f"])
def test_no_value_can_become_a_header(
    make_server: MakeServer, puts_to: Callable[..., Puts], value: str
) -> None:
    server = make_server()
    with pytest.raises(ValueError, match="not printable ASCII"):
        puts_to(server.url).put(upload(reason=value))
    assert server.requests == []


def test_refused_keys_are_replaced(
    make_server: MakeServer, puts_to: Callable[..., Puts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "READ_AGAIN_AFTER_S", 0.0)
    found = [Credentials("first", "x"), Credentials("second", "y")]
    server = make_server(answer(403, "InvalidAccessKeyId"), OK)
    puts = puts_to(server.url, find=lambda: found.pop(0))
    assert puts.put(upload()).code == "InvalidAccessKeyId"
    assert puts.put(upload()).status == 200
    names = [
        re.search(r"Credential=(\w+)/", headers(request)["authorization"]) for request, _ in server.requests
    ]
    assert [name[1] for name in names if name] == ["first", "second"]


@pytest.mark.parametrize(
    ("changes", "host", "path"),
    [
        ({}, "faces.s3.amazonaws.com", ""),
        ({"s3_region": "eu-central-1"}, "faces.s3.eu-central-1.amazonaws.com", ""),
        ({"s3_region": "cn-north-1"}, "faces.s3.cn-north-1.amazonaws.com.cn", ""),
        ({"bucket": "my.faces", "s3_region": "eu-west-1"}, "s3.eu-west-1.amazonaws.com", "/my.faces"),
        ({"s3_endpoint": "https://s3.local"}, "s3.local", "/faces"),
    ],
)
def test_aws_has_the_bucket_in_the_hosts_name_and_others_in_the_path(
    changes: dict[str, str], host: str, path: str
) -> None:
    found = place(settings(**changes))
    assert (found.host, found.path) == (host, path)
