"""One account and one site for all tests, which follow its life from nothing to nothing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.aws.account import AwsAccount
from tests.provision.site import Site


def make_key(file: Path) -> Path:
    """Make a key pair and return the public half's file."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a test", "-f", str(file)],
        check=True,
        timeout=30,
    )
    return file.with_suffix(".pub")


@pytest.fixture(scope="session")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public key that the instance's console shows."""
    return make_key(tmp_path_factory.mktemp("host") / "key")


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory, host_key: Path) -> Iterator[AwsAccount]:
    own = AwsAccount(tmp_path_factory.mktemp("aws"), host_key=host_key)
    own.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", own.url)
        yield own
    own.stop()


@pytest.fixture(scope="session")
def site(account: AwsAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site; how long each run took is said at the end."""
    folder = tmp_path_factory.mktemp("site")
    own = Site(folder, account, make_key(folder / "operator"))
    yield own
    if os.environ.get("FACEFLEET_TEST_TIMES"):
        for what, seconds in own.seconds:
            print(f"{seconds:6.1f} s  {what}")  # noqa: T201 - asked for
