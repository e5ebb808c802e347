"""Certificates and their authority are replaced, and no face is lost: a lab of its own, an hour."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509

from tests.fleet import site as sites
from tests.fleet.hosts.lab import FOLDER
from tests.fleet.site import BUCKET, CLIP, CLOUD, Site

pytestmark = [pytest.mark.full, pytest.mark.timeout(5400)]

LIFE_S, RENEW_S = 180, 150
"""One lasts from a run to the end of the next; a run takes 85 s on two cores with a load of 30."""
LIFETIMES = 10
DAY_S = 86400
SHORT = ("-e", f"identity_days={LIFE_S / DAY_S:.6f}", "-e", f"identity_renew_days={RENEW_S / DAY_S:.6f}")
DEVICES = ("jetson-01", "jetson-02")
NEAR, FAR = DEVICES
"""The far one is away while the authority is replaced."""
CAMERAS = [
    {"name": name, "source": "/srv/videos/lobby.mp4", "loop": True, "first_shot_s": 0.2, "repeat_s": 0.5}
    for name in ("lobby", "yard")
]
# Each is its own publisher: its broker listens to the network and waits for no certificate but its own.
LOAD = ("-e", json.dumps({"edge_cameras": CAMERAS, "edge_publishers": ["{{ inventory_hostname }}"]}))
TLS_PORT = 8883
IDENTITY = "/etc/facefleet/identity"


@pytest.fixture(scope="module")
def busy() -> Iterator[Site]:
    """A site whose devices have two cameras each that see somebody all the time."""
    if not CLIP.exists():
        pytest.skip(f"{CLIP} is not there: `make fleet` fetches it")
    with sites.bare(*DEVICES, baked=True) as site:
        site.place_video()
        site.play("site.yml", *LOAD).succeeded()
        for device in DEVICES:
            site.await_faces(device)
        yield site


@dataclass(frozen=True)
class Account:
    """Where a device's faces are, by its own words and by the bucket."""

    captured: int
    given_up: int
    held: int
    stored: int

    @property
    def closed(self) -> bool:
        return self.held == 0 and self.captured == self.stored + self.given_up


def report(site: Site, device: str) -> dict[str, Any]:
    """Return what the watch knows of a device."""
    table = ("python3", "-m", "facefleet.fleet", "http://127.0.0.1:9465/fleet.json", "--json")
    said = json.loads(site.ask("cloud", "docker", "exec", "facefleet-cloud-watch-1", *table))
    entry: dict[str, Any] = said["devices"].get(device, {})
    return entry


def account(site: Site, device: str) -> Account:
    said = report(site, device)["report"]
    cameras = said["cameras"].values()
    return Account(
        captured=sum(camera["captured"] for camera in cameras),
        given_up=sum(camera["given_up"] for camera in cameras) + said["given_up"],
        held=sum(camera["held"] for camera in cameras) + said["held"],
        stored=site.faces(device),
    )


def closed(site: Site) -> dict[str, Account]:
    """Pause the cameras, and wait until every face that they captured is accounted for."""
    site.play("playbooks/pause.yml", *LOAD, limit=DEVICES).succeeded()
    deadline = time.monotonic() + 300
    found = {}
    for device in DEVICES:
        while not (now := account(site, device)).closed:
            assert time.monotonic() < deadline, f"{now}\n{site.logs(device, 'forwarder')}"
            time.sleep(2)
        found[device] = now
    site.play("playbooks/resume.yml", *LOAD, limit=DEVICES).succeeded()
    return found


def versions(site: Site, prefix: str) -> Counter[str]:
    """Return how often each face under a prefix was stored."""
    s3 = site.account.session().client("s3", endpoint_url=site.account.url)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=prefix)
    return Counter(item["Key"] for page in pages for item in page.get("Versions", []))


def certificate(site: Site, host: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(site.ask(host, "cat", f"{IDENTITY}/host.crt").encode())


def issuer(site: Site, host: str) -> str:
    return certificate(site, host).issuer.rfc4514_string()


def trusted(site: Site, host: str) -> int:
    """Return how many authorities a host trusts."""
    return site.ask(host, "cat", f"{IDENTITY}/ca.crt").count("BEGIN CERTIFICATE")


def connections(site: Site, device: str) -> tuple[int, int]:
    """Return how often the forwarder connected to the cloud, and how often that was lost or not renewed."""
    lines = site.compose(device, "edge", "logs", "--no-color", "forwarder").splitlines()
    cloud = [line for line in lines if "mqtts://" in line]
    bad = sum("lost" in line or "of no use yet" in line for line in cloud)
    return sum("event=connected" in line for line in cloud), bad


def shown(site: Site, host: str) -> x509.Certificate:
    """Return the certificate that a host's broker shows to a device."""
    address = f"{site.lab[host].address}:{TLS_PORT}"
    files = f"-cert {IDENTITY}/host.crt -key {IDENTITY}/host.key -CAfile {IDENTITY}/ca.crt"
    return x509.load_pem_x509_certificate(
        site.ask(FAR, "sh", "-c", f"openssl s_client -connect {address} {files} </dev/null 2>&1").encode()
    )


def say(text: str) -> None:
    sys.stderr.write(f"\n    {text}\n")


def test_certificates_of_minutes_are_renewed_through_ten_lifetimes_under_load(busy: Site) -> None:
    before = {device: (report(busy, device)["report"], connections(busy, device)) for device in DEVICES}
    began, runs, least = time.monotonic(), 0, float(LIFE_S)
    lives: dict[str, list[x509.Certificate]] = {host: [] for host in ("cloud", *DEVICES)}
    while time.monotonic() - began < LIFETIMES * LIFE_S:
        first = ("-e", "rotate_all=true") if not runs else ()
        busy.play("playbooks/rotate.yml", *SHORT, *LOAD, *first).succeeded()
        runs += 1
        for host, lived in lives.items():
            held = certificate(busy, host)
            # What it had before this run lasted until now, when nobody shows it any more.
            if lived:
                left = lived[-1].not_valid_after_utc.timestamp() - time.time()
                least = min(least, left)
                assert left > 0, f"{host} was not renewed in time: {left:.0f} s"
            if held not in lived:
                lived.append(held)
        for host, lived in lives.items():
            assert shown(busy, host) == lived[-1], f"the broker of {host} shows its new certificate"
    lasted = time.monotonic() - began
    busy.play("playbooks/rotate.yml", *LOAD, "-e", "rotate_all=true").succeeded()
    for device, money in closed(busy).items():
        status, (connects, lost) = before[device]
        now_connects, now_lost = connections(busy, device)
        renewed = now_connects - connects
        assert renewed >= len(lives[device]), "each renewed certificate was shown to the broker"
        assert now_lost == lost, "no connection was lost, each renewal was taken at once"
        assert report(busy, device)["report"]["cloud_since"] == status["cloud_since"], (
            "nor the way to the cloud"
        )
        assert money.given_up == 0
        assert set(versions(busy, f"faces/{device}/").values()) == {1}
        say(
            f"{device}: {lasted / LIFE_S:.1f} lifetimes of {LIFE_S} s in {runs} runs, "
            f"{renewed} renewed connections, 0 lost; "
            f"captured {money.captured} = stored {money.stored}, each once"
        )
    say(f"certificates: { {host: len(lived) for host, lived in lives.items()} }; least left {least:.0f} s")


def test_the_authority_is_replaced_while_a_device_is_away_which_then_comes_back(busy: Site) -> None:
    old = issuer(busy, "cloud")
    busy.lab[FAR].unplug()
    played = busy.play("playbooks/rotate.yml", *LOAD, "-e", "rotate_authority=true")
    assert played.count("unreachable")[FAR] == 1
    assert not any(played.count("failed").values())
    assert f"It waits for {FAR}" in played.said
    new = issuer(busy, NEAR)
    assert new != old
    assert issuer(busy, "cloud") == old, "the one that is away knows only the old one"
    assert (trusted(busy, "cloud"), trusted(busy, NEAR), trusted(busy, FAR)) == (2, 2, 1)
    busy.await_faces(NEAR, busy.faces(NEAR))
    again = busy.play("playbooks/rotate.yml", *LOAD, limit=["control", CLOUD, NEAR]).succeeded()
    assert f"It waits for {FAR}" in again.said
    assert again.changed == {}, "who waits changes nothing"

    stored = busy.faces(FAR)
    backlog = busy.held(FAR)
    assert backlog > 0
    busy.lab[FAR].plug()
    busy.await_faces(FAR, stored + backlog // 2)
    say(f"{FAR} came back with {backlog} faces, and the cloud took them by its old certificate")

    busy.play("playbooks/rotate.yml", *LOAD).succeeded()
    for host in ("cloud", *DEVICES):
        assert issuer(busy, host) == new
        assert shown(busy, host) == certificate(busy, host)
        assert trusted(busy, host) == 1
    assert not (FOLDER / "authority/next").exists()
    assert busy.play("playbooks/rotate.yml", *LOAD).succeeded().changed == {}
    for device, money in closed(busy).items():
        assert money.given_up == 0
        assert set(versions(busy, f"faces/{device}/").values()) == {1}
        say(f"{device}: captured {money.captured} = stored {money.stored}, each once")


def test_a_certificate_of_the_dropped_authority_is_refused(busy: Site) -> None:
    """The pair before is still on the device's disk."""
    counts = busy.ask(FAR, "readlink", f"{IDENTITY}/pair").strip()
    pairs = [f"pairs/{name}" for name in busy.ask(FAR, "ls", f"{IDENTITY}/pairs").split()]
    (former,) = (pair for pair in pairs if pair != counts)

    def greeted(pair: str, host: str) -> str:
        address = f"{busy.lab[host].address}:{TLS_PORT}"
        files = f"-cert {IDENTITY}/{pair}/host.crt -key {IDENTITY}/{pair}/host.key -CAfile {IDENTITY}/ca.crt"
        return busy.lab[FAR].run(
            "sh", "-c", f"(sleep 3) | openssl s_client -connect {address} {files} 2>&1", check=False
        )

    for host in ("cloud", *DEVICES):
        assert "alert unknown ca" in greeted(former, host)
        assert "alert" not in greeted(counts, host)
