"""One site for all tests of this folder that want it: bare hosts and an empty account at first."""

from collections.abc import Iterator

import pytest

from tests.fleet import site as sites
from tests.fleet.site import CLIP, Site

DEVICES = ("jetson-01", "jetson-02", "jetson-03")


@pytest.fixture(scope="session")
def bare_site() -> Iterator[Site]:
    """Bare hosts with a video each, and an empty account."""
    if not CLIP.exists():
        pytest.skip(f"{CLIP} is not there: `make fleet` fetches it")
    with sites.bare(*DEVICES) as site:
        site.place_video()
        yield site


@pytest.fixture(scope="session")
def site(bare_site: Site) -> Site:
    """The same once `site.yml` ran, and a face of each device arrived."""
    bare_site.play("site.yml").succeeded()
    for device in bare_site.devices:
        bare_site.await_faces(device)
    return bare_site
