"""Services on hosts whose clock is wrong at their start, by decades, and is set while they run."""

import time
from pathlib import Path

import pytest
from facefleet.runtime.clock import known_right

from tests.integration.conftest import MakeService, MakeTlsBroker
from tests.integration.containers import BUCKETS, PATTERNS, S3Server, TlsBroker
from tests.integration.edge_site import Site, Taker, accounts
from tests.integration.services import Service
from tests.integration.waiting import await_until

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
DAY_S = 86_400
KEEP_S = 30 * DAY_S
pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="needs libfaketime (Debian: libfaketime)")


class Clock:
    """The wall clock of one process, which can be set while it runs."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    def set(self, off_s: float) -> None:
        """Let it be wrong by so many seconds."""
        self._file.write_text(f"{off_s:+.0f}")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def cloud(make_tls_broker: MakeTlsBroker) -> TlsBroker:
    own = make_tls_broker()
    own.identify("127.0.0.1")
    own.allow(f"{PATTERNS}pattern write %u/%u/#\n")  # a test's topics begin with its device's name
    own.start()
    return own


def forwarder(site: Site, cloud: TlsBroker, clock: Clock) -> Service:
    """Start a forwarder that keeps faces for thirty days, on a host with that clock."""
    jetson = cloud.authority.issue(site.device)
    given = {
        "broker": site.edge.url,
        "cloud_broker": cloud.tls_url,
        "cloud_ca": jetson.ca,
        "cloud_certificate": jetson.certificate,
        "cloud_key": jetson.key,
        "device": site.device,
        "topic_prefix": site.device,
        "state_dir": site.folder / "state",
        "keep_s": KEEP_S,
        "receipt_timeout_s": 1,
        "retry_most_s": 1,
    }
    settings = {f"FACEFLEET_{name.upper()}": str(value) for name, value in given.items()}
    service = site.make_service("forwarder", settings | clock.environment)
    await_until(lambda: service.lines("connected", site.edge.url), 30, f"it starts:\n{service.log()}")
    return service


@pytest.mark.parametrize(
    ("off_s", "says"),
    [
        pytest.param(-time.time() + 60, "its certificate is not valid yet", id="1970"),
        pytest.param(-3 * 365 * DAY_S, "its certificate is not valid yet", id="where it stood still"),
        pytest.param(5 * 365 * DAY_S, "its certificate has expired", id="years ahead"),
    ],
)
def test_faces_wait_for_the_right_time_and_then_go(
    site: Site, cloud: TlsBroker, clock: Clock, off_s: float, says: str
) -> None:
    clock.set(off_s)
    service = forwarder(site, cloud, clock)
    events = site.events(5)
    site.publish(site.camera(), *events)
    await_until(lambda: service.lines("unreachable", says), 30, f"it says why:\n{service.log()}")
    assert accounts(service)["held"] == 5
    clock.set(0)
    Taker(site, cloud).await_all(events)
    await_until(lambda: accounts(service)["held"] == 0, 30, "all are receipted")
    assert accounts(service)["given_up"] == 0


@pytest.mark.skipif(known_right(), reason="the kernel vouches for the clock of this machine")
@pytest.mark.parametrize("off_s", [150 * DAY_S, 5 * 365 * DAY_S], ids=["months ahead", "years ahead"])
def test_a_start_with_the_clock_ahead_gives_nothing_up(
    site: Site, cloud: TlsBroker, clock: Clock, off_s: float
) -> None:
    service = forwarder(site, cloud, clock)
    events = site.events(5)
    site.publish(site.camera(), *events)
    await_until(lambda: accounts(service)["held"] == 5, 30, "it has them")
    service.stop()
    clock.set(off_s)
    service = forwarder(site, cloud, clock)
    await_until(lambda: service.lines("unreachable", "expired"), 30, f"it tries:\n{service.log()}")
    assert not service.lines("too old")
    assert accounts(service)["held"] == 5
    clock.set(0)
    Taker(site, cloud).await_all(events)


@pytest.mark.skipif(known_right(), reason="the kernel vouches for the clock of this machine")
def test_our_own_s3_server_forgets_nothing_for_a_clock_that_nobody_set(
    s3: S3Server, device: str, clock: Clock, make_service: MakeService
) -> None:
    admin = s3.client("admin")
    key = f"faces/{device}/lobby/2026/11/28/20261128T100000.000Z-0a.png"
    admin.put_object(Bucket=BUCKETS[0], Key=key, Body=b"a face")
    clock.set(150 * DAY_S)
    settings = {
        "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials("eraser")),
        "FACEFLEET_BUCKET": BUCKETS[0],
        "FACEFLEET_S3_ENDPOINT": s3.url,
        "FACEFLEET_FACES_DAYS": "30",
    }

    def is_there() -> bool:
        return bool(admin.list_objects_v2(Bucket=BUCKETS[0], Prefix=key).get("Contents"))

    keeper = make_service("forget.keeper", settings | clock.environment)
    await_until(lambda: keeper.lines("nothing deleted until the clock"), 30, "it says that it waits")
    assert is_there()
    keeper.stop()
    clock.set(0)
    # Its own word counts where nothing tells the kernel: nothing is too old by the right time.
    keeper = make_service("forget.keeper", settings | clock.environment | {"FACEFLEET_CLOCK": "trusted"})
    keeper.await_healthy()
    assert is_there()
    keeper.stop()
    admin.close()
