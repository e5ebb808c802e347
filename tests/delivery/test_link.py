"""Over a bad link: it drops, it is thin, and faces want it too."""

import json
import time
from collections.abc import Iterator

import pytest
from facefleet.custody.entry import Accounts
from facefleet.forwarder.host import Host as HostState
from facefleet.forwarder.report import Report, Standing

from tests.delivery.depot import Depot
from tests.delivery.wire import Wire
from tests.fleet.site import Running

FOLDER = "/var/cache/facefleet/delivery"
LINK = 2_000_000
BLOCK = 256 * 1024
MODULES = 2_500_000
"""More than all that Ansible itself sends in a delivery."""
SAID = "/run/said.json"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def wire(device: Depot) -> Wire:
    return Wire(device.lab["jetson-01"])


@pytest.fixture
def thin(wire: Wire) -> Iterator[None]:
    with wire.throttled(LINK):
        yield


def arrived(device: Depot) -> int:
    """Return the bytes of the archive that the device has."""
    host = device.lab["jetson-01"]
    said = host.run("sh", "-c", f"stat -c %s {FOLDER}/*.part 2>/dev/null || echo 0").split()
    return int(said[0]) if said else 0  # the engine may lose what a command said that ended at once


def await_bytes(running: Running, device: Depot, count: int) -> None:
    running.await_that(lambda: arrived(device) >= count, f"{count} bytes are there")


def is_there(device: Depot) -> None:
    """Check that the images are, and nothing beside them."""
    assert device.on("jetson-01") == device.wanted()
    assert "No such file" in device.lab["jetson-01"].run("ls", FOLDER, check=False)


@pytest.mark.usefixtures("thin")
def test_a_link_that_drops_is_gone_on_with(device: Depot, wire: Wire) -> None:
    before = wire.received
    running = device.begin()
    await_bytes(running, device, 8_000_000)
    with wire.cut():
        running.await_words("the link dropped; trying again")
        there = arrived(device)
    played = running.end().succeeded()
    is_there(device)
    size = device.only_archive().stat().st_size
    assert there < size
    # What was under way at the cut is sent twice: a piece, and a block.
    assert wire.received - before < 1.1 * size + 4 * LINK + MODULES, played.output[-2000:]
    assert "MB/s" in played.output, "it tells how far it is"


def test_a_later_run_goes_on_and_trusts_no_byte_that_it_did_not_check(device: Depot, wire: Wire) -> None:
    with wire.throttled(LINK):
        running = device.begin(deliver_reconnect_s=0)
        await_bytes(running, device, 12_000_000)
        device.lab["jetson-01"].unplug()
    try:
        assert running.end().count("unreachable") == {"jetson-01": 1}
    finally:
        device.lab["jetson-01"].plug()
    size = device.only_archive().stat().st_size
    there = arrived(device)
    assert 12_000_000 <= there < size
    host = device.lab["jetson-01"]
    part = host.run("sh", "-c", f"ls {FOLDER}/*.part").strip()
    # Another's archive, a block that rotted, a tail that the power took and filled with nothing.
    host.run("cp", part, f"{FOLDER}/0123456789abcdef.part")
    host.run("dd", "if=/dev/urandom", f"of={part}", "bs=1000", "seek=5000", "count=1", "conv=notrunc")
    host.run("truncate", "-s", str(there - BLOCK - 17), part)
    host.run("truncate", "-s", str(size + 1000), part)

    device.tidy()  # the archive is written anew, and must be the same
    before = wire.received
    device.deliver().succeeded()
    assert device.only_archive().stat().st_size == size
    is_there(device)
    again = wire.received - before
    assert size - there < again < size - there + 4 * BLOCK + 1.05 * MODULES


def test_the_cap_holds(device: Depot, wire: Wire) -> None:
    cap = 4_000_000
    running = device.begin(deliver_bandwidth_bytes_s=cap)
    await_bytes(running, device, 1)
    looks = [(time.monotonic(), wire.received)]
    while arrived(device) and time.monotonic() - looks[0][0] < 60:
        looks.append((time.monotonic(), wire.received))
        time.sleep(0.5)
    running.end().succeeded()
    is_there(device)
    for began, count in looks:
        for ended, later in looks:
            if ended - began > 4:
                # A piece more may have begun at each end; frames and ssh add a little.
                assert later - count < 1.1 * cap * (ended - began + 2), (ended - began, later - count)


class Faces:
    """A backlog on the device, in the words of its forwarder."""

    def __init__(self, device: Depot) -> None:
        self._host = device.lab["jetson-01"]
        self._stored = 0

    def wait(self, held: int) -> None:
        """Say that so many wait, and that some went since."""
        self._stored += 3
        standing = Standing("now", "then", "a", "connected", "then", None, "right", None, None, [])
        accounts = Accounts(self._stored + held, self._stored, 0, 0, 0, held, 0, 0, 60.0 if held else 0.0, 0)
        machine = HostState(0, 0, 0, 0, None)
        report = Report("jetson-01", 10**9).encoded("online", standing, machine, accounts)
        self._host.write(SAID, report.decode())


@pytest.fixture
def faces(device: Depot) -> Faces:
    return Faces(device)


def test_faces_go_first(device: Depot, faces: Faces) -> None:
    trickle = 100_000
    faces.wait(1000)
    running = device.begin(deliver_yields_to=["cat", SAID], deliver_trickle_bytes_s=trickle)
    began = time.monotonic()

    def told() -> bool:
        faces.wait(1000)
        return "the faces go first" in running.output

    running.await_that(told, "it says that the faces go first")
    assert 0 < arrived(device) < trickle * (time.monotonic() - began + 2)
    faces.wait(0)
    running.end().succeeded()
    is_there(device)


def test_a_backlog_without_end_does_not_hold_it_up_for_ever(device: Depot, faces: Faces) -> None:
    faces.wait(1000)
    settings = {
        "deliver_yields_to": ["cat", SAID],
        "deliver_trickle_bytes_s": 1000,
        "deliver_yield_most_s": 4,
    }
    device.deliver("-e", json.dumps(settings)).succeeded()
    is_there(device)


def test_a_device_without_room_is_told_of(device: Depot) -> None:
    host = device.lab["jetson-01"]
    host.run("mkdir", "-p", "/run/small")
    host.run("mount", "-t", "tmpfs", "-o", "size=1m", "none", "/run/small")
    try:
        small = ("-e", json.dumps({"deliver_folder": "/run/small/delivery"}))
        device.deliver(*small).failed("jetson-01 has room for", "set deliver_folder to another disk")
    finally:
        host.run("umount", "/run/small")
