"""Keys are read when needed, kept, and read again when they are refused."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import MetadataRetrievalError, PartialCredentialsError
from facefleet.storage import keys as module
from facefleet.storage.keys import KeyRing, NoKeysError
from facefleet.storage.signature import Keys


class Chain:
    """What botocore's chain finds, in turn."""

    def __init__(self, *found: Credentials | Exception | None) -> None:
        self.found = list(found)
        self.asked = 0

    def __call__(self) -> Credentials | None:
        self.asked += 1
        each = self.found.pop(0)
        if isinstance(each, Exception):
            raise each
        return each


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_AGAIN_AFTER_S", 0.0)


OLD, NEW = Credentials("old", "secret", "token"), Credentials("new", "other")


def test_they_are_read_once() -> None:
    chain = Chain(OLD)
    ring = KeyRing(chain)
    assert {ring.current() for _ in range(5)} == {Keys("old", "secret", "token")}
    assert chain.asked == 1


def role(valid_s: float, fetches: list[int]) -> RefreshableCredentials:
    """Return what the instance role gives: keys that end, and a way to fetch others."""

    def fetch() -> dict[str, str]:
        number = len(fetches)
        fetches.append(number)
        if number > 2:
            raise MetadataRetrievalError(error_msg="no answer")
        ends = datetime.now(UTC) + timedelta(seconds=valid_s)
        return {
            "access_key": f"key-{number}",
            "secret_key": "secret",
            "token": f"token-{number}",
            "expiry_time": ends.isoformat(),
        }

    return RefreshableCredentials.create_from_metadata(fetch(), fetch, "iam-role")


def test_keys_of_a_role_are_fetched_again_before_they_end() -> None:
    fetches: list[int] = []
    credentials = role(60, fetches)  # less than the quarter of an hour that botocore wants
    ring = KeyRing(Chain(credentials))
    assert ring.current() == Keys("key-1", "secret", "token-1")
    assert ring.current() == Keys("key-2", "secret", "token-2")
    with pytest.raises(NoKeysError, match="no answer"):
        ring.current()


def test_keys_of_a_role_that_are_good_for_long_are_kept() -> None:
    fetches: list[int] = []
    ring = KeyRing(Chain(role(6 * 3600, fetches)))
    assert {ring.current() for _ in range(5)} == {Keys("key-0", "secret", "token-0")}
    assert fetches == [0]


@pytest.mark.usefixtures("at_once")
def test_refused_keys_are_read_again_and_others_are_not() -> None:
    ring = KeyRing(Chain(OLD, NEW))
    old = ring.current()
    ring.refused(old)
    assert ring.current() == Keys("new", "other")
    ring.refused(old)  # of a request that was signed before
    assert ring.current() == Keys("new", "other")


def test_many_refusals_at_once_lead_to_one_reading() -> None:
    chain = Chain(OLD, NEW)
    ring = KeyRing(chain)
    for _ in range(5):
        ring.refused(ring.current())
    assert chain.asked == 1  # a moment ago


@pytest.mark.usefixtures("at_once")
def test_none_and_half_a_pair_are_told_and_found_later() -> None:
    ring = KeyRing(Chain(None, PartialCredentialsError(provider="file", cred_var="secret"), NEW))
    with pytest.raises(NoKeysError, match="nobody provides one"):
        ring.current()
    with pytest.raises(NoKeysError, match="Partial"):
        ring.current()
    assert ring.current() == Keys("new", "other")


def test_none_are_not_looked_for_at_every_put() -> None:
    chain = Chain(None)
    ring = KeyRing(chain)
    for _ in range(5):
        with pytest.raises(NoKeysError, match="nobody provides one"):
            ring.current()
    assert chain.asked == 1
