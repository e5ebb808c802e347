"""The bucket is made once, encrypted, and `--check` only says what would be done."""

import json
import secrets
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

from tests.integration.containers import S3Server
from tests.integration.services import environment


@pytest.fixture
def name() -> str:
    return f"made-{secrets.token_hex(4)}"


def bucket(s3: S3Server, name: str, *options: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "facefleet.bucket", *options],
        env=environment(
            {
                "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials("admin")),
                "FACEFLEET_BUCKET": name,
                "FACEFLEET_S3_ENDPOINT": s3.url,
            }
        ),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_it_is_made_encrypted_and_a_second_run_changes_nothing(s3: S3Server, name: str) -> None:
    done = [f"made bucket {name}", "turned on encryption AES256"]
    assert bucket(s3, name) == {"changed": True, "done": done}
    assert bucket(s3, name) == {"changed": False, "done": []}
    admin = s3.client("admin")
    admin.put_object(Bucket=name, Key="x", Body=b"x")
    assert admin.head_object(Bucket=name, Key="x")["ServerSideEncryption"] == "AES256"
    admin.close()


def test_check_says_what_would_be_done_and_does_nothing(s3: S3Server, name: str) -> None:
    for _ in range(2):
        assert bucket(s3, name, "--check")["changed"] is True
    admin = s3.client("admin")
    with pytest.raises(ClientError) as absent:
        admin.head_bucket(Bucket=name)
    assert absent.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    bucket(s3, name)
    assert bucket(s3, name, "--check") == {"changed": False, "done": []}
    admin.close()


def test_a_bucket_that_lost_its_encryption_gets_it_back(s3: S3Server, name: str) -> None:
    bucket(s3, name)
    admin = s3.client("admin")
    admin.delete_bucket_encryption(Bucket=name)
    assert bucket(s3, name) == {"changed": True, "done": ["turned on encryption AES256"]}
    admin.close()


def test_a_bad_setting_is_named(s3: S3Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "facefleet.bucket"],
        env=environment({"FACEFLEET_BUCKET": "No", "FACEFLEET_S3_ENDPOINT": s3.url}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("FACEFLEET_BUCKET='No' is impossible: ")
