"""One depot for all tests of this folder: bare hosts at first, engines and a registry when asked for."""

from collections.abc import Iterator

import pytest

from tests.delivery.depot import Depot
from tests.fleet.hosts import Lab
from tests.fleet.hosts.lab import NUMBER
from tests.fleet.site import REPO


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: only `make fleet` runs it")


@pytest.fixture(scope="session")
def bare_depot() -> Iterator[Depot]:
    """Hosts on which nothing was installed by us."""
    folder = REPO / ".cache/delivery"
    name, subnet = f"facefleet-delivery-{NUMBER}", f"172.31.{240 - NUMBER}.0/24"
    with Lab("cloud", "jetson-01", baked=True, name=name, subnet=subnet, folder=folder) as lab:
        depot = Depot(lab, folder)
        yield depot
        depot.leave()


@pytest.fixture(scope="session")
def depot(bare_depot: Depot) -> Depot:
    """The same with engines, identities, a registry, and the images built."""
    bare_depot.play("playbooks/hosts.yml", "playbooks/identity.yml", "--limit", "cloud:edge").succeeded()
    bare_depot.play("playbooks/registry.yml", "playbooks/images.yml").succeeded()
    return bare_depot


@pytest.fixture
def device(depot: Depot) -> Iterator[Depot]:
    """The same, with a device that has no image at all."""
    depot.empty("jetson-01")
    yield depot
    depot.tidy()
