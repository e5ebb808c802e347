"""One connection over a real socket: kept, made anew, and never waited on for ever."""

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from facefleet.storage import connection as module
from facefleet.storage.connection import Connection, ExchangeError, Place, place_of, trusted

from tests.integration.waiting import free_port
from tests.unit.storage.conftest import MakeServer
from tests.unit.storage.scripted import CLOSE, OK, RESET, ScriptedServer, answer

HEAD = b"PUT /b/k HTTP/1.1\r\ncontent-length:4\r\n\r\n"


def to(server: ScriptedServer) -> Connection:
    return Connection(place_of(server.url, "b", virtual=False), None)


def status(connection: Connection) -> int:
    return connection.exchange(HEAD, b"body").status


def test_one_connection_serves_many_requests(make_server: MakeServer) -> None:
    server = make_server(OK, answer(503, "SlowDown"), OK)
    connection = to(server)
    assert [status(connection) for _ in range(3)] == [200, 503, 200]
    assert server.connections == 1
    assert server.requests == [(HEAD[:-4], b"body")] * 3
    connection.close()


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_kept_connection_that_has_ended_is_made_anew_at_once(make_server: MakeServer, end: bytes) -> None:
    server = make_server(OK, end, OK)
    connection = to(server)
    assert [status(connection) for _ in range(2)] == [200, 200]
    assert server.connections == 2
    server.drop_all()
    assert status(connection) == 200
    connection.close()


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_new_connection_that_ends_is_not_tried_again_at_once(make_server: MakeServer, end: bytes) -> None:
    server = make_server(end)
    with pytest.raises(ExchangeError, match=r"no proper answer|reset"):
        status(to(server))
    assert len(server.requests) == 1


def test_an_answer_that_is_cut_is_not_tried_again_at_once(make_server: MakeServer) -> None:
    """The request may have been done, and whoever asked decides."""
    server = make_server(OK, OK[:20])
    connection = to(server)
    assert status(connection) == 200
    with pytest.raises(ExchangeError, match=r"no answer in time"):
        with_patience(connection, 0.3)
    assert len(server.requests) == 2
    connection.close()


def with_patience(connection: Connection, seconds: float) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ANSWER_TIMEOUT_S", seconds)
        return status(connection)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(make_server: MakeServer) -> None:
    server = make_server(b"HTTP/1.1 200")
    with pytest.raises(ExchangeError, match="no answer in time"):
        with_patience(to(server), 0.2)


def test_a_connection_that_was_idle_for_long_is_not_trusted(make_server: MakeServer) -> None:
    server = make_server()
    connection = to(server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IDLE_MOST_S", 0.0)
        assert [status(connection) for _ in range(2)] == [200, 200]
    assert server.connections == 2
    connection.close()


def test_after_garbage_the_next_request_has_a_connection_of_its_own(make_server: MakeServer) -> None:
    server = make_server(b"garbage\r\n\r\n", OK)
    connection = to(server)
    with pytest.raises(ExchangeError, match="not HTTP"):
        status(connection)
    assert status(connection) == 200
    assert server.connections == 2
    connection.close()


def test_a_refusal_is_heard_although_the_server_did_not_read_it_all() -> None:
    """It answers, and closes with the rest of the request unread."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection = Connection(Place("127.0.0.1", listener.getsockname()[1], False, "h", "/b"), None)  # noqa: FBT003

    def refuse() -> None:
        near, _ = listener.accept()
        near.recv(100)
        near.sendall(answer(403, "AccessDenied"))
        near.shutdown(socket.SHUT_WR)
        while near.recv(1_000_000):
            pass
        near.close()

    thread = threading.Thread(target=refuse)
    thread.start()
    found = connection.exchange(HEAD, bytes(5_000_000))
    assert (found.status, found.code) == (403, "AccessDenied")
    connection.close()
    thread.join(5)
    listener.close()


def test_nobody_there_is_said_in_words() -> None:
    place = place_of(f"http://127.0.0.1:{free_port()}", "b", virtual=False)
    with pytest.raises(ExchangeError, match="Connection refused"):
        status(Connection(place, None))


def test_a_server_without_tls_is_said_in_words(make_server: MakeServer) -> None:
    server = make_server(b"HTTP/1.1 400 no TLS\r\n\r\n")
    place = place_of(f"https://127.0.0.1:{server.port}", "b", virtual=False)
    with pytest.raises(ExchangeError):
        with_patience(Connection(place, trusted()), 0.5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl here")
    folder = tmp_path_factory.mktemp("tls")
    key, crt, both = folder / "key", folder / "crt", folder / "both.pem"
    made = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {key} -out {crt}"
    named = "-subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([openssl, *made.split(), *named.split()], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + crt.read_bytes())
    return both


def test_tls_serves_many_requests_on_one_connection_and_needs_a_trusted_certificate(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = ScriptedServer(lambda _head, _body: OK, context)
    place = place_of(f"https://127.0.0.1:{server.port}", "b", virtual=False)
    with pytest.raises(ExchangeError, match="its certificate is not trusted"):
        status(Connection(place, trusted()))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    connection = Connection(place, trusted())
    assert [status(connection) for _ in range(3)] == [200] * 3
    assert connection.exchange(HEAD, bytes(3_000_000)).status == 200
    assert server.connections == 2
    connection.close()
    server.close()


@pytest.mark.parametrize(
    ("endpoint", "virtual", "expected"),
    [
        ("http://127.0.0.1:8333", False, ("127.0.0.1", 8333, False, "127.0.0.1:8333", "/b")),
        ("http://s3.local/", False, ("s3.local", 80, False, "s3.local", "/b")),
        ("http://s3.local:80", False, ("s3.local", 80, False, "s3.local", "/b")),
        ("https://s3.local/base/", False, ("s3.local", 443, True, "s3.local", "/base/b")),
        ("http://[::1]:9000", False, ("::1", 9000, False, "[::1]:9000", "/b")),
        (
            "https://s3.eu-west-1.amazonaws.com",
            True,
            ("b.s3.eu-west-1.amazonaws.com", 443, True, "b.s3.eu-west-1.amazonaws.com", ""),
        ),
    ],
)
def test_where_a_bucket_is(endpoint: str, virtual: bool, expected: tuple[object, ...]) -> None:  # noqa: FBT001
    assert place_of(endpoint, "b", virtual=virtual) == expected


def test_some_authorities_are_trusted_and_hosts_are_checked() -> None:
    context = trusted()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
