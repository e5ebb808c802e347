"""One broker and one S3 server for all tests that leave them alone; others make their own."""

import contextlib
import itertools
import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import DockerClient
from docker.errors import DockerException
from facefleet.messaging.link import Link
from pydantic import AnyUrl

from tests.conftest import MakeEvent
from tests.images import NoImageError, newest_image
from tests.integration.certificates import Authority
from tests.integration.containers import BUCKETS, Broker, S3Server, TlsBroker, succeeds
from tests.integration.edge_site import Camera, Site
from tests.integration.proxy import Proxy
from tests.integration.services import Service

MakeBroker = Callable[[], Broker]
MakeTlsBroker = Callable[..., TlsBroker]
MakeProxy = Callable[[int], Proxy]
MakeLink = Callable[..., Link]
MakeService = Callable[[str, dict[str, str]], Service]


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.skip(f"no container engine: {error}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(engine: DockerClient) -> dict[str, str]:
    """The project's images by name: as FACEFLEET_TEST_IMAGES says, or the newest of this machine."""
    if given := os.environ.get("FACEFLEET_TEST_IMAGES"):
        references: dict[str, str] = json.loads(given)
        return references
    try:
        return {name: newest_image(engine, name) for name in ("broker", "s3")}
    except NoImageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def broker(
    engine: DockerClient, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    """A broker that no test stops."""
    shared = Broker(engine, images["broker"], tmp_path_factory.mktemp("broker"), guarded=True)
    try:
        shared.start()
        yield shared
    finally:
        shared.remove()


@pytest.fixture
def make_broker(engine: DockerClient, images: dict[str, str], tmp_path: Path) -> Iterator[MakeBroker]:
    """Brokers of the test's own, not started."""
    made: list[Broker] = []
    numbers = itertools.count()

    def make() -> Broker:
        made.append(Broker(engine, images["broker"], tmp_path / f"broker-{next(numbers)}"))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fleet's authority that has issued nothing."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def make_tls_broker(
    engine: DockerClient, images: dict[str, str], tmp_path: Path, authority: Authority
) -> Iterator[MakeTlsBroker]:
    """Brokers with mutual TLS, not started."""
    made: list[TlsBroker] = []

    def make(**options: Any) -> TlsBroker:
        folder = tmp_path / f"tls-broker-{len(made)}"
        made.append(TlsBroker(engine, images["broker"], folder, authority, **options))
        return made[-1]

    yield make
    for each in made:
        each.remove()


def started_s3(server: S3Server) -> Iterator[S3Server]:
    try:
        server.start()
        admin = server.client("admin")
        succeeds(admin.list_buckets, 60)
        succeeds(lambda: admin.create_bucket(Bucket=BUCKETS[0]), 60)
        admin.put_bucket_encryption(
            Bucket=BUCKETS[0],
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        )
        admin.close()
        server.await_put(BUCKETS[0], 60)
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def s3(
    engine: DockerClient, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[S3Server]:
    """An S3 server that no test stops."""
    yield from started_s3(S3Server(engine, images["s3"], tmp_path_factory.mktemp("s3")))


@pytest.fixture
def own_s3(engine: DockerClient, images: dict[str, str], tmp_path: Path) -> Iterator[S3Server]:
    """An S3 server of the test's own."""
    yield from started_s3(S3Server(engine, images["s3"], tmp_path / "s3"))


@pytest.fixture
def make_proxy() -> Iterator[MakeProxy]:
    with contextlib.ExitStack() as stack:
        yield lambda port: stack.enter_context(Proxy(port))


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[MakeService]:
    """Start a service with settings; at the end it must still run or have been stopped by the test."""
    made: list[Service] = []

    def make(name: str, settings: dict[str, str]) -> Service:
        service = Service(name, tmp_path / f"service-{len(made)}", settings)
        made.append(service)
        service.start()
        return service

    yield make
    for service in made:
        if service.running:
            service.kill()


@pytest.fixture
def make_link() -> Iterator[MakeLink]:
    """Start a link to a broker's port on the loopback, or to its URL."""
    made: list[Link] = []

    def make(to: int | str, client_id: str | None = None, **options: Any) -> Link:
        url = to if isinstance(to, str) else f"mqtt://127.0.0.1:{to}"
        link = Link(AnyUrl(url), client_id or f"test-{secrets.token_hex(6)}", **options)
        made.append(link)
        link.start()
        return link

    yield make
    for link in made:
        link.stop()


@pytest.fixture
def device() -> str:
    """A device that no other test has, so that they can share broker and bucket."""
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def make_camera(make_link: MakeLink, device: str) -> Callable[[int], Camera]:
    """A connected camera at a broker's port, whose topics start with the device's name."""

    return lambda port: Camera(make_link(port), device)


@pytest.fixture
def site(  # noqa: PLR0917 - each is a fixture
    broker: Broker,
    device: str,
    tmp_path: Path,
    make_service: MakeService,
    make_link: MakeLink,
    make_event: MakeEvent,
) -> Site:
    """An edge at the shared broker."""
    return Site(broker, device, tmp_path, make_service, make_link, make_event)
