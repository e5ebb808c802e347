"""The gallery behind its proxy, as a site with a domain has it."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import jinja2
import pytest
from docker import DockerClient

from tests.conftest import MakeEvent
from tests.images import NoImageError, newest_image
from tests.integration.containers import COMPOSE, Broker, S3Server, written
from tests.integration.gallery_site import PASSWORD, PERSON, GallerySite, running
from tests.integration.waiting import await_until, free_port


@dataclass
class Front:
    """Where the proxy answers."""

    http: int
    https: int

    def ask(self, url: str, data: bytes | None = None, **headers: str) -> tuple[int, Message, bytes]:
        """Ask without following; the proxy's own authority is nobody's whom we trust."""
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=unchecked), _StayHere())
        try:
            with opener.open(urllib.request.Request(url, data, headers), timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def answers(self) -> bool:
        try:
            return self.ask(f"https://localhost:{self.https}/healthy")[0] == 200
        except OSError:
            return False


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture(scope="module")
def site(
    broker: Broker, s3: S3Server, tmp_path_factory: pytest.TempPathFactory, make_event: MakeEvent
) -> Iterator[GallerySite]:
    folder = tmp_path_factory.mktemp("gallery")
    yield from running(GallerySite(broker, s3, "behind", folder, make_event, FACEFLEET_HTTPS="true"))


@pytest.fixture(scope="module")
def front(
    engine: DockerClient, site: GallerySite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """The proxy's image with the rendered file, on the host's network, so that its ports are others."""
    try:
        image = newest_image(engine, "caddy")
    except NoImageError as error:
        pytest.skip(str(error))
    front = Front(free_port(), free_port())
    given = {
        "inventory_hostname": "test",
        "cloud_gallery_domain": "localhost",
        "cloud_gallery_tls": "internal",
    }
    text = jinja2.Template((COMPOSE / "cloud/Caddyfile.j2").read_text(), trim_blocks=True).render(given)
    for there, here in {
        "http_port 8080": f"http_port {front.http}",
        "https_port 8443": f"https_port {front.https}",
        "127.0.0.1:8081": f"127.0.0.1:{free_port()}",
        "cloud-gallery:8080": f"127.0.0.1:{site.port}",
    }.items():
        assert there in text
        text = text.replace(there, here)
    files = written(Path(tmp_path_factory.mktemp("caddy")), {"/etc/caddy/Caddyfile": text})
    container = engine.containers.run(
        image,
        detach=True,
        network_mode="host",
        volumes=["/var/lib/facefleet"] + [f"{source}:{target}:ro" for target, source in files.items()],
        read_only=True,
        tmpfs={"/tmp": "mode=1777"},
        cap_drop=["ALL"],
        labels={"facefleet.test": "gallery"},
    )
    try:
        await_until(front.answers, 20, f"the proxy answers:\n{container.logs().decode()}")
        yield front
    finally:
        container.remove(force=True, v=True)


def test_plain_http_leads_to_https(front: Front) -> None:
    status, headers, _ = front.ask(f"http://localhost:{front.http}/")
    assert status == 308
    assert str(headers["location"]).startswith("https://localhost")


def test_who_comes_by_https_signs_in_with_a_cookie_for_https_alone(front: Front) -> None:
    door = f"https://localhost:{front.https}/sign-in"
    status, headers, body = front.ask(door)
    assert (status, b"Sign in" in body) == (200, True)
    assert headers["strict-transport-security"] == "max-age=31536000"
    form = f"name={PERSON}&password={PASSWORD.replace(' ', '+')}".encode()
    status, headers, _ = front.ask(door, form, Origin=f"https://localhost:{front.https}")
    assert status == 303
    cookie = str(headers["set-cookie"])
    assert cookie.startswith("__Host-facefleet=")
    assert "Secure" in cookie
    status, _, body = front.ask(
        f"https://localhost:{front.https}/", Cookie=cookie.split(";", maxsplit=1)[0], Accept="text/html"
    )
    assert (status, b"All devices" in body) == (200, True)


def test_who_guesses_by_the_proxy_is_told_apart_by_address(site: GallerySite, front: Front) -> None:
    door = f"https://localhost:{front.https}/sign-in"
    front.ask(door, b"name=x&password=y", Origin=f"https://localhost:{front.https}")
    assert site.gallery.lines("wrong password", "address=127.0.0.1")
