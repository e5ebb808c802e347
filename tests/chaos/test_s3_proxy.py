"""The proxy's faults are what they are called."""

import contextlib
import http.client
import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.chaos.s3_proxy import Proxy


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers puts, and remembers whole bodies."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def do_PUT(self) -> None:
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) == size:
            self.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bodies() -> list[bytes]:
    return []


@pytest.fixture
def proxy(bodies: list[bytes]) -> Iterator[Proxy]:
    handler = type("Handler", (_Server,), {"bodies": bodies})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    proxy = Proxy(("127.0.0.1", server.server_port), "127.0.0.1", 0)
    threads = [threading.Thread(target=run) for run in (server.serve_forever, proxy.run)]
    for thread in threads:
        thread.start()
    yield proxy
    proxy.close()
    server.shutdown()
    for thread in threads:
        thread.join()
    server.server_close()


def put(proxy: Proxy, body: bytes = b"0123456789", **headers: str) -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)) as connection:
        connection.request("PUT", "/key", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_it_passes_requests_on(proxy: Proxy, bodies: list[bytes]) -> None:
    assert put(proxy) == (200, b"done")
    assert put(proxy, Expect="100-continue") == (200, b"done")
    assert bodies == [b"0123456789"] * 2


@pytest.mark.parametrize(
    ("mode", "code"), [("500", b"InternalError"), ("503", b"SlowDown"), ("403", b"Denied")]
)
def test_errors_do_not_reach_the_server(proxy: Proxy, bodies: list[bytes], mode: str, code: bytes) -> None:
    proxy.fault.become(mode, 1.0, 0)
    status, body = put(proxy)
    assert status == int(mode)
    assert code in body
    assert bodies == []
    assert proxy.fault.struck == 1


def test_a_request_that_is_cut_reaches_the_server_as_half_of_one(proxy: Proxy, bodies: list[bytes]) -> None:
    proxy.fault.become("cut-request", 1.0, 0)
    with pytest.raises((http.client.HTTPException, OSError)):
        put(proxy)
    assert bodies == []


def test_an_answer_that_is_cut_comes_after_the_server_did_it(proxy: Proxy, bodies: list[bytes]) -> None:
    proxy.fault.become("cut-response", 1.0, 0)
    with pytest.raises((http.client.HTTPException, OSError)):
        put(proxy)
    assert bodies == [b"0123456789"]
