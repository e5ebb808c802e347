"""What each of S3's answers means for an object: stored, there already, again later, or never."""

import hashlib
import ssl
from contextlib import closing
from pathlib import Path

import pytest
from facefleet.processor.store import Bucket, MayPassError, NeverError, Put, can_never_pass
from facefleet.processor.verdict import Parcel
from facefleet.runtime.service import ServiceError
from facefleet.storage.put import Upload
from facefleet.storage.s3 import S3Settings

from tests.integration.certificates import Authority
from tests.unit.processor.conftest import MakeBucket
from tests.unit.storage.scripted import CLOSE, OK, ScriptedServer, answer

PARCEL = Parcel(Upload("faces/d/c/1.png", b"x", hashlib.sha256(b"x").digest(), "image/png", {}), "d")

PASSING = [
    (301, "PermanentRedirect", "correct the region"),
    (307, "TemporaryRedirect", "correct the region"),
    (400, "AuthorizationHeaderMalformed", "correct the region"),
    (400, "BadDigest", "it is tried again"),
    (400, "ExpiredToken", "the keys have expired"),
    (400, "IncompleteBody", "it is tried again"),
    (400, "KMS.DisabledException", "it is tried again"),
    (400, "RequestTimeout", "it is tried again"),
    (400, "XAmzContentSHA256Mismatch", "it is tried again"),
    (400, "", "it is tried again"),
    (403, "AccessDenied", "may put objects into it"),
    (403, "InvalidAccessKeyId", "correct the key"),
    (403, "RequestTimeTooSkewed", "set the clock"),
    (403, "SignatureDoesNotMatch", "correct the secret"),
    (403, "", "it is tried again"),
    (404, "NoSuchBucket", "create the bucket"),
    (409, "ConditionalRequestConflict", "another put of the same object"),
    (409, "OperationAborted", "it is tried again"),
    (429, "TooManyRequests", "it is tried again"),
    (500, "InternalError", "it is tried again"),
    (501, "NotImplemented", "knows If-None-Match"),
    (502, "", "it is tried again"),
    (503, "SlowDown", "it is tried again"),
    (504, "", "it is tried again"),
]
NEVER = [
    (400, "EntityTooLarge"),
    (400, "InvalidArgument"),
    (400, "InvalidRequest"),
    (400, "KeyTooLongError"),
    (400, "MetadataTooLarge"),
    (413, ""),
    (431, "RequestHeaderSectionTooLarge"),
]


@pytest.mark.parametrize(("status", "code", "remedy"), PASSING)
def test_what_may_pass_is_told_with_the_bucket_and_the_remedy(
    make_bucket: MakeBucket, status: int, code: str, remedy: str
) -> None:
    assert not can_never_pass(status, code)
    bucket = make_bucket(lambda _head, _body: answer(status, code))
    with pytest.raises(MayPassError, match=remedy) as refused:
        bucket.put(PARCEL)
    assert f"said {status} {code}".rstrip() in str(refused.value)
    assert "bucket faces at http://127.0.0.1" in str(refused.value)


@pytest.mark.parametrize(("status", "code"), NEVER)
def test_what_never_passes_is_told_apart(make_bucket: MakeBucket, status: int, code: str) -> None:
    assert can_never_pass(status, code)
    bucket = make_bucket(lambda _head, _body: answer(status, code))
    with pytest.raises(NeverError, match=f"{status} ?{code}"):
        bucket.put(PARCEL)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (CLOSE, "ended before any answer"),
        (b"nonsense\r\n\r\n", "not HTTP"),
        (answer(200), "no S3 server answers there"),
    ],
)
def test_no_proper_answer_may_pass(make_bucket: MakeBucket, said: bytes, reason: str) -> None:
    with pytest.raises(MayPassError, match=reason):
        make_bucket(lambda _head, _body: said).put(PARCEL)


def test_stored_and_there_already_are_both_success(make_bucket: MakeBucket) -> None:
    script = [OK, answer(412, "PreconditionFailed")]
    bucket = make_bucket(lambda _head, _body: script.pop(0))
    assert [bucket.put(PARCEL) for _ in range(2)] == [Put.STORED, Put.ALREADY_THERE]


def test_a_put_whose_answer_got_lost_is_there_already(make_bucket: MakeBucket) -> None:
    stored: set[bytes] = set()

    def reply(head: bytes, _body: bytes) -> bytes:
        if head in stored:
            return answer(412, "PreconditionFailed")
        stored.add(head.partition(b" HTTP")[0])
        return CLOSE if len(stored) == 1 else OK

    bucket = make_bucket(lambda head, body: reply(head.partition(b" HTTP")[0], body))
    with pytest.raises(MayPassError):
        bucket.put(PARCEL)
    assert bucket.put(PARCEL) is Put.ALREADY_THERE


def test_a_bucket_that_takes_nothing_at_all_may_yet(make_bucket: MakeBucket) -> None:
    """Or each face would become a dead letter for the fault of a setting."""
    bucket = make_bucket(lambda _head, _body: answer(400, "InvalidArgument"))
    with pytest.raises(MayPassError, match="takes no object at all"):
        bucket.probe()


def test_no_keys_are_told_with_the_remedy(
    make_bucket: MakeBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_bucket(lambda _head, _body: OK)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    bucket = Bucket(S3Settings.model_validate({"bucket": "faces", "s3_endpoint": "http://127.0.0.1:1"}))
    with pytest.raises(MayPassError, match=r"provide the credentials file$"):
        bucket.put(PARCEL)
    on_aws = Bucket(S3Settings.model_validate({"bucket": "faces"}))
    with pytest.raises(MayPassError, match="attach the instance profile, with a metadata hop limit of 2"):
        on_aws.put(PARCEL)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDenied", "let the role put under faces/, probes/ and dead-letter/"),
        ("ExpiredToken", "fetched again"),
        ("InvalidAccessKeyId", "still exists"),
        ("NoSuchBucket", "create the bucket"),
    ],
)
def test_on_aws_the_role_is_to_blame(
    make_bucket: MakeBucket, monkeypatch: pytest.MonkeyPatch, code: str, remedy: str
) -> None:
    make_bucket(lambda _head, _body: OK)  # provides keys
    with closing(ScriptedServer(lambda _head, _body: answer(403, code))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        bucket = Bucket(S3Settings.model_validate({"bucket": "faces"}))
        with closing(bucket), pytest.raises(MayPassError, match=remedy) as refused:
            bucket.put(PARCEL)
    assert "bucket faces at AWS us-east-1 said 403" in str(refused.value)


@pytest.mark.parametrize("content", [None, "nothing"])
def test_a_ca_bundle_of_no_use_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.crt"
    if content:
        file.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    with pytest.raises(ServiceError, match=f"AWS_CA_BUNDLE={file}: .*: correct the path or the file"):
        Bucket(S3Settings.model_validate({"bucket": "faces", "s3_endpoint": "https://s3"}))


def test_an_s3_server_with_a_private_authority_is_used(
    make_bucket: MakeBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_bucket(lambda _head, _body: OK)  # provides keys
    authority = Authority(tmp_path / "authority")
    identity = authority.issue("s3", ("127.0.0.1",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.certificate, identity.key)
    with closing(ScriptedServer(lambda _head, _body: OK, context)) as server:
        url = f"https://127.0.0.1:{server.port}"
        settings = S3Settings.model_validate({"bucket": "faces", "s3_endpoint": url})
        with pytest.raises(MayPassError, match=r"not trusted: .*; name its CA's file in AWS_CA_BUNDLE"):
            Bucket(settings).put(PARCEL)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.file))
        with closing(Bucket(settings)) as bucket:
            assert bucket.put(PARCEL) is Put.STORED
