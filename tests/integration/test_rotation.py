"""Certificates and their authority are replaced under load, and each face is stored once."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.x509 import Certificate
from docker import DockerClient

from tests.conftest import MakeEvent
from tests.images import newest_image
from tests.integration.certificates import replaced
from tests.integration.conftest import MakeBroker, MakeLink, MakeService
from tests.integration.containers import S3Server
from tests.integration.edge_site import Camera, Site, accounts
from tests.integration.rotating_site import CLOUD, Load, RotatingSite
from tests.integration.waiting import await_until

if TYPE_CHECKING:
    from tests.integration.services import Service

pytestmark = [
    pytest.mark.full,  # ten playbooks and more, with hosts under load
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a key to another"),
    pytest.mark.timeout(1800),
]

NEAR, FAR = "gate", "yard"
"""The far one is away while the authority is replaced."""
LIFE_S, RENEW_S, LIFETIMES = 120, 95, 10
SHORT = ("-e", f"identity_days={LIFE_S / 86400:.6f}", "-e", f"identity_renew_days={RENEW_S / 86400:.6f}")


class Bench:
    """The site, and what runs on it."""

    def __init__(self, rotating: RotatingSite, s3: S3Server, sites: dict[str, Site]) -> None:
        self.site = rotating
        self._s3 = s3
        self._sites = sites
        self.forwarders: dict[str, Service] = {}

    def start(self, device: str) -> Load:
        """Start a device's forwarder and a camera."""
        site, identity = self._sites[device], self.site.identity(device)
        self.forwarders[device] = site.forwarder(
            site.edge,
            cloud_broker=self.site.url,
            topic_prefix="face_detection",
            cloud_ca=identity / "ca.crt",
            cloud_certificate=identity / "host.crt",
            cloud_key=identity / "host.key",
        )
        camera = Camera(site.make_link(site.edge.port), "face_detection")
        await_until(lambda: self.lines(device, "connected"), 20, "it is at the cloud broker")
        return Load(camera, lambda: site.make_event(device=device), 0.1)

    def lines(self, device: str, *parts: str) -> list[str]:
        """Return what the forwarder says of its connection to the cloud."""
        return self.forwarders[device].lines(self.site.url, *parts)

    def versions(self, device: str) -> Counter[str]:
        """Return how often each face was stored, by its id."""
        client = self._s3.client("operator")
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket="faces", Prefix=f"faces/{device}/"
        )
        keys = [item["Key"] for page in pages for item in page.get("Versions", [])]
        client.close()
        return Counter(key.removesuffix(".png").split("Z-", 1)[1] for key in keys)

    def settle(self, device: str, load: Load) -> int:
        """Stop the camera, and see every face that it captured stored once."""
        captured = load.stop()
        await_until(
            lambda: accounts(self.forwarders[device])["held"] == 0 and len(self.versions(device)) >= captured,
            120,
            f"all of {captured} are stored",
        )
        stored = self.versions(device)
        assert set(stored) == load.captured
        assert set(stored.values()) == {1}
        return captured


@pytest.fixture
def bench(  # noqa: PLR0917 - each is a fixture
    engine: DockerClient,
    images: dict[str, str],
    tmp_path: Path,
    own_s3: S3Server,
    make_broker: MakeBroker,
    make_link: MakeLink,
    make_service: MakeService,
    make_event: MakeEvent,
) -> Iterator[Bench]:
    rotating = RotatingSite(tmp_path, images["broker"], newest_image(engine, "forwarder"), (NEAR, FAR))
    try:
        rotating.rotate()
        rotating.start()
        sites = {}
        for device in (NEAR, FAR):
            edge = make_broker()
            edge.start()
            sites[device] = Site(edge, device, tmp_path / device, make_service, make_link, make_event)
        admin = own_s3.client("admin")
        admin.put_bucket_versioning(Bucket="faces", VersioningConfiguration={"Status": "Enabled"})
        admin.close()
        processor = {
            "AWS_SHARED_CREDENTIALS_FILE": str(own_s3.credentials("processor")),
            "FACEFLEET_BROKER": rotating.plain_url,
            "FACEFLEET_BUCKET": "faces",
            "FACEFLEET_S3_ENDPOINT": own_s3.url,
        }
        make_service("processor", processor).await_healthy()
        yield Bench(rotating, own_s3, sites)
    finally:
        rotating.remove()


def say(text: str) -> None:
    sys.stderr.write(f"\n    {text}\n")


def left_s(certificate: Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds()


def test_certificates_of_minutes_are_renewed_through_ten_lifetimes_under_load(bench: Bench) -> None:
    load = bench.start(NEAR)
    since = bench.site.started_at()
    began, runs, least = time.monotonic(), 0, float(LIFE_S)
    lives: dict[str, list[Certificate]] = {host: [] for host in (CLOUD, NEAR)}
    while time.monotonic() - began < LIFETIMES * LIFE_S:
        bench.site.rotate(*SHORT, *(() if runs else ("-e", "rotate_all=true")), reaching=(NEAR,))
        runs += 1
        for host, lived in lives.items():
            # What it had before this run lasted until now, when nobody shows it any more.
            if lived:
                least = min(least, left_s(lived[-1]))
            if (held := bench.site.certificate(host)) not in lived:
                lived.append(held)
        assert least > 0, "a certificate was renewed too late"
    lasted = time.monotonic() - began
    connects = len(bench.lines(NEAR, "event=connected")) - 1
    captured = bench.settle(NEAR, load)
    assert connects >= len(lives[NEAR]) - 1, "each new certificate is shown to the broker"
    assert not bench.lines(NEAR, "lost")
    assert not bench.lines(NEAR, "unreachable")
    assert bench.site.started_at() == since
    say(
        f"{lasted / LIFE_S:.1f} lifetimes of {LIFE_S} s, {runs} runs, least left {least:.0f} s; "
        f"{len(lives[NEAR])} certificates of the device and {len(lives[CLOUD])} of the broker, "
        f"{connects} renewed connections, none lost"
    )
    say(f"captured {captured} = stored {captured}, each once")


def test_the_authority_is_replaced_while_a_device_is_away_which_then_comes_back(bench: Bench) -> None:
    site = bench.site
    near, far = bench.start(NEAR), bench.start(FAR)
    since, old = site.started_at(), site.issuer(CLOUD)
    bench.forwarders[FAR].kill()  # its edge broker keeps what its camera sees meanwhile

    said = site.rotate("-e", "rotate_authority=true", reaching=(NEAR,))
    assert f"It waits for {FAR}" in said
    new = site.issuer(NEAR)
    assert new != old
    assert site.issuer(CLOUD) == old, "the one that is away knows only the old one"
    assert [site.trusted(host) for host in (CLOUD, NEAR, FAR)] == [2, 2, 1]
    assert "changed=0" in site.rotate(reaching=(NEAR,)).split("PLAY RECAP")[1].split(CLOUD)[1]

    captured = len(far.captured)
    bench.forwarders[FAR].start()
    await_until(lambda: len(bench.versions(FAR)) >= captured, 60, "it sends its backlog by the old authority")
    say(f"{FAR} came back with {captured} faces, and the cloud took them by its old certificate")

    said = site.rotate()
    assert "the old one goes" in said
    for host in (CLOUD, NEAR, FAR):
        assert site.issuer(host) == new
        assert site.trusted(host) == 1
    assert not (site.authority / "next").exists()
    await_until(lambda: len(bench.lines(NEAR, "event=connected")) >= 2, 30, "it shows the new certificate")
    for device, load in ((NEAR, near), (FAR, far)):
        count = bench.settle(device, load)
        say(f"{device}: captured {count} = stored {count}, each once")
    assert site.started_at() == since, "the broker was never restarted"
    assert not bench.lines(NEAR, "lost")


def test_a_device_that_no_playbook_reaches_says_itself_whom_it_trusts(bench: Bench) -> None:
    """As one that pulls: what it has been given to trust shows in its status."""
    site = bench.site
    load = bench.start(FAR)
    old = site.issuer(CLOUD)
    site.rotate("-e", "rotate_authority=true", reaching=(NEAR,))
    assert site.issuer(CLOUD) == old
    assert site.roster()["foundation"].keys() == {"cloud_ends", "authority_ends"}

    replaced(site.identity(FAR) / "ca.crt", (site.authority / "trust.pem").read_bytes())
    await_until(lambda: len(site.roster()["devices"][FAR]["report"]["trusts"]) == 2, 30, "it says so")
    said = site.rotate(reaching=(NEAR,))
    assert site.issuer(CLOUD) != old, "nobody is left who knows only the old one"
    assert "It waits for" not in said
    assert f"With a certificate of the old one: {FAR}." in said
    bench.settle(FAR, load)
