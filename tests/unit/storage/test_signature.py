"""Signatures are those of AWS's published examples, and of botocore for whatever else."""

import hashlib
from datetime import UTC, datetime

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from facefleet.storage.signature import Keys, Scope, amz_date, authorization, path_of, signing_key
from hypothesis import given
from hypothesis import strategies as st

EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("20130524", "us-east-1")
HOST = "examplebucket.s3.amazonaws.com"
WELCOME = b"Welcome to Amazon S3."


def signed(keys: Keys, scope: Scope, request: tuple[str, str, str], headers: dict[str, str]) -> str:
    return authorization(keys, scope, signing_key(keys.secret_key, scope), request, headers)


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "signature"),
    [
        (
            ("GET", "/test.txt", ""),
            {"range": "bytes=0-9"},
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            ("PUT", path_of("test$file.text"), ""),
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            WELCOME,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            ("GET", "/", "lifecycle="),
            {},
            b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            ("GET", "/", "max-keys=2&prefix=J"),
            {},
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["get object", "put object", "get lifecycle", "list objects"],
)
def test_the_examples_of_the_s3_reference(
    request_line: tuple[str, str, str], headers: dict[str, str], body: bytes, signature: str
) -> None:
    given_headers = headers | {
        "host": HOST,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": "20130524T000000Z",
    }
    value = signed(EXAMPLE, SCOPE, request_line, given_headers)
    names = ";".join(sorted(given_headers))
    assert value == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}"
    )


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
token = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


@given(
    key=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80),
    metadata=st.dictionaries(token, printable, max_size=6),
    body=st.binary(max_size=50),
    secret=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40),
    session=st.just("") | st.from_regex(r"[A-Za-z0-9/+=]{1,60}", fullmatch=True),
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]),
    when=st.integers(0, 4_000_000_000),
)
def test_botocore_signs_the_same_put_alike(  # noqa: PLR0917 - hypothesis gives them by name
    key: str, metadata: dict[str, str], body: bytes, secret: str, session: str, region: str, when: int
) -> None:
    keys = Keys("AKID", secret, session)
    date = amz_date(when)
    digest = hashlib.sha256(body).hexdigest()
    path = path_of("bucket", key)
    headers = {
        "host": "127.0.0.1:8333",
        "if-none-match": "*",
        "content-type": "image/png",
        "x-amz-content-sha256": digest,
        **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
    }
    theirs = AWSRequest("PUT", f"http://127.0.0.1:8333{path}", headers=headers, data=body)
    theirs.context.update({"payload_signing_enabled": True, "timestamp": date})
    with pytest.MonkeyPatch.context() as patch:
        now = datetime.fromtimestamp(when, UTC).replace(tzinfo=None)
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_args, **_options: now)
        S3SigV4Auth(Credentials("AKID", secret, session or None), "s3", region).add_auth(theirs)
    headers["x-amz-date"] = date
    if session:
        headers["x-amz-security-token"] = session
    ours = signed(keys, Scope(date[:8], region), ("PUT", path, ""), headers)
    assert ours.replace(" ", "") == str(theirs.headers["Authorization"]).replace(" ", "")


def test_keys_show_no_secret() -> None:
    assert EXAMPLE.secret_key not in f"{EXAMPLE!r} {EXAMPLE}"


def test_a_path_keeps_its_slashes_and_nothing_else_that_is_not_plain() -> None:
    assert path_of("b", "faces/a b/ü+%~-_.") == "/b/faces/a%20b/%C3%BC%2B%25~-_."
