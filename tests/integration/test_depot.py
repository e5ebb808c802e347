"""The depot, over real TLS, on a real S3 server; its bucket has versions, as on AWS."""

import os
import ssl
from collections.abc import Iterator

import pytest
from facefleet.depot.blobs import PIECE_BYTES

from tests.integration.certificates import Authority
from tests.integration.conftest import MakeProxy
from tests.integration.containers import S3Server
from tests.integration.depot_site import Applicant, DepotSite, Inbox, asked, digest, running, signed
from tests.integration.waiting import await_until

CANARY, SECOND, THIRD = "canary", "second", "third"
BIG = os.urandom(3 * PIECE_BYTES + 12_345)
SMALL = b"of every edition"
SECRET = b"said once, on paper"


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DepotSite]:
    yield from running(
        DepotSite(s3, "depot", tmp_path_factory.mktemp("depot"), (CANARY, SECOND, THIRD, "lost", "old"))
    )


@pytest.fixture(scope="module")
def serials() -> Iterator[int]:
    """Numbers that rise."""
    return iter(range(1, 1000))


@pytest.fixture
def promoted(site: DepotSite, serials: Iterator[int]) -> Iterator[str]:
    return iter(())


def promote(site: DepotSite, serial: int, edition: str, rings: dict[str, int], *, soak_s: int = 0) -> Inbox:
    inbox = site.inbox(SMALL, BIG)
    for device, ring in rings.items():
        inbox.order(device, serial, edition, SMALL, BIG, ring=ring, soak_s=soak_s)
    site.told("take", str(inbox.folder))
    return inbox


def test_first(site: DepotSite) -> None:
    promote(site, 1, "e1", {CANARY: 0, SECOND: 1})
    assert site.order_of(CANARY)["edition"] == "e1"
    assert site.order_of(SECOND) is None
    site.say(CANARY, "ok", "e1")
    assert site.order_of(SECOND)["edition"] == "e1"
    print(site.told("state"))
    print(site.told("prune"))
    a = site.get(CANARY, f"/v1/blobs/{digest(BIG)}")
    assert a.body == BIG
    print(site.depot.log())
