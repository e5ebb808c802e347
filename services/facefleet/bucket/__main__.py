"""`python -m facefleet.bucket [--check]`: ready the bucket; prints one line of JSON, `{"changed": ...}`.

Source: S3 CreateBucket and PutBucketEncryption.
"""

import argparse
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from facefleet.runtime.settings import SettingsError, load
from facefleet.storage.s3 import S3Settings, client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READY_WITHIN_S = 60
RETRY_EVERY_S = 1.0
_ABSENT = {"NoSuchBucket", "404", "NoSuchKey"}
_NO_ENCRYPTION = {"ServerSideEncryptionConfigurationNotFoundError", *_ABSENT}


def ready(s3: "S3Client", bucket: str, *, check: bool) -> list[str]:
    """Make what is missing, or with `check` only say it. Returns what was done, empty if nothing."""
    done = []
    if not _exists(s3, bucket):
        done.append(f"made bucket {bucket}")
        if not check:
            s3.create_bucket(Bucket=bucket)
    if not _encrypted(s3, bucket):
        done.append("turned on encryption AES256")
        if not check:
            s3.put_bucket_encryption(
                Bucket=bucket,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
            )
    return done


def _exists(s3: "S3Client", bucket: str) -> bool:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return False
        raise
    return True


def _encrypted(s3: "S3Client", bucket: str) -> bool:
    try:
        s3.get_bucket_encryption(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in _NO_ENCRYPTION:
            return False
        raise
    return True


def main() -> None:
    """Try until the server answers properly, for a minute: it answers before it can store."""
    parser = argparse.ArgumentParser(prog="facefleet-bucket", description=__doc__)
    parser.add_argument("--check", action="store_true", help="say what would be done, do nothing")
    options = parser.parse_args()
    try:
        settings = load(S3Settings, os.environ)
    except SettingsError as error:
        sys.exit("\n".join(error.problems))
    s3 = client(settings)
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            done = ready(s3, settings.bucket, check=options.check)
        except (ClientError, BotoCoreError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"bucket {settings.where} cannot be made ready: {error}")
            time.sleep(RETRY_EVERY_S)
        else:
            print(json.dumps({"changed": bool(done), "done": done}))
            return


if __name__ == "__main__":
    main()
