"""One site for all tests of this folder that want it: bare hosts and an empty account at first."""

import shutil
from collections.abc import Iterator

import pytest

from tests.fleet.aws.account import AwsAccount
from tests.fleet.hosts.lab import FOLDER, Lab
from tests.fleet.site import CLIP, Site

DEVICES = ("jetson-01", "jetson-02", "jetson-03")


@pytest.fixture(scope="session")
def bare_site() -> Iterator[Site]:
    """Bare hosts, an empty account, and nothing that an earlier run left."""
    if not CLIP.exists():
        pytest.skip(f"{CLIP} is not there: `make fleet` fetches it")
    for name in ("authority", "facts"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    with Lab("cloud", *DEVICES) as lab:
        account = AwsAccount(FOLDER, host=lab.gateway, port=5500, elastic_address=lab["cloud"].address)
        account.start()
        try:
            # As on EC2: the metadata service is reached from containers too.
            lab["cloud"].dnat("169.254.169.254:80", f"{lab.gateway}:5500")
            site = Site(lab, account)
            site.place_video()
            yield site
        finally:
            account.stop()


@pytest.fixture(scope="session")
def site(bare_site: Site) -> Site:
    """The same once `site.yml` ran, and a face of each device arrived."""
    bare_site.play("site.yml").succeeded()
    for device in bare_site.devices:
        bare_site.await_faces(device)
    return bare_site
