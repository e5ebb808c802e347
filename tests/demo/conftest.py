"""The demo, brought up once for all tests of this folder."""

import os
import shutil
from collections.abc import Iterator

import boto3
import pytest
from mypy_boto3_s3 import S3Client

from tests.demo import machine


@pytest.fixture(scope="session")
def demo() -> Iterator[str]:
    """`make demo`, from nothing; the output. It is taken away at the end, whatever happened."""
    if machine.STACKS.exists():
        pytest.fail(f"{machine.STACKS} exists: stacks are deployed on this machine; `make demo-down` first")
    shutil.rmtree(machine.REPO / ".demo", ignore_errors=True)
    try:
        yield machine.run("make", "demo", timeout_s=1500).stdout
    finally:
        machine.run("make", "demo-down")


@pytest.fixture(scope="session")
def s3(demo: str) -> S3Client:  # noqa: ARG001 - it must run first
    """The demo's S3 server, with the operator's key: read and list."""
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(machine.REPO / ".demo/operator.ini")
    return boto3.client("s3", endpoint_url="http://127.0.0.1:28333", region_name="us-east-1")
