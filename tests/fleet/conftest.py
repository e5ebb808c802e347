"""One site for all tests of this folder that want it: bare hosts and an empty account at first."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.fleet import site as sites
from tests.fleet.site import CLIP, REPO, Site

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


@pytest.fixture
def own_services(tmp_path: Path) -> Iterator[Path]:
    """The sources of the images, for a test to change."""
    before = _our_images()
    folder = tmp_path / "services"
    shutil.copytree(REPO / "services", folder, ignore=shutil.ignore_patterns("__pycache__"))
    yield folder
    # Or else other tests take them for the newest.
    for tag in _our_images() - before:
        docker.from_env().images.remove(tag, force=True)


@pytest.fixture
def bad_services(own_services: Path) -> Path:
    """A forwarder that looks healthy and carries nothing: only the gate can tell."""
    courier = own_services / "facefleet/courier/courier.py"
    text = courier.read_text()
    good = "        while self._may_send() and self._send_one():"
    assert good in text
    courier.write_text(text.replace(good, "        while False and self._may_send() and self._send_one():"))
    return own_services


def _our_images() -> set[str]:
    """Return the names of the project's images on this machine."""
    return {
        tag for image in docker.from_env().images.list() for tag in image.tags if tag.startswith("facefleet/")
    }
