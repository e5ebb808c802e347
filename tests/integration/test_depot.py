"""The depot, over real TLS, on a real S3 server; its bucket has versions, as on AWS."""

import contextlib
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.client import HTTPException, IncompleteRead
from typing import Any

import pytest
from botocore.exceptions import ClientError
from facefleet.depot import layout
from facefleet.depot.blobs import PIECE_BYTES
from facefleet.depot.door import STRANGERS
from facefleet.depot.inbox import InboxError
from facefleet.forget.bucket import Bucket
from facefleet.forget.selection import select
from facefleet.storage.s3 import S3Settings

from tests.integration.certificates import Authority
from tests.integration.conftest import MakeProxy
from tests.integration.containers import S3Server
from tests.integration.depot_site import Applicant, DepotSite, asked, digest, running, signed
from tests.integration.waiting import await_until

CANARY, SECOND, THIRD, LOST = "canary", "second", "third", "lost"
LONG = os.urandom(48 * PIECE_BYTES + 12_345)
"""More than the buffers between two ends of a connection hold."""
SMALL = b"of every edition"
SECRET = b"said once, on paper"

Promote = Callable[..., str]


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DepotSite]:
    folder = tmp_path_factory.mktemp("depot")
    yield from running(DepotSite(s3, "depot", folder, (CANARY, SECOND, THIRD, LOST)))


@pytest.fixture(scope="module")
def promote(site: DepotSite) -> Promote:
    """Bring orders of a new edition, by ring; return its name."""
    serials = iter(range(1, 1000))

    def bring(*blobs: bytes, **rings: int) -> str:
        serial = next(serials)
        inbox = site.inbox(SMALL, *blobs)
        for device, ring in rings.items():
            inbox.order(device, serial, f"e{serial}", SMALL, *blobs, ring=ring)
        site.take(inbox)
        return f"e{serial}"

    return bring


@pytest.fixture
def blob(site: DepotSite) -> str:
    """Where the long blob is."""
    if not site.store.tag(layout.blob(digest(LONG))):
        site.take(site.inbox(LONG))
    return f"/v1/blobs/{digest(LONG)}"


def edition_of(site: DepotSite, device: str) -> Any:
    order = site.order_of(device)
    return order and order["edition"]


def await_edition(site: DepotSite, device: str, edition: str | None) -> None:
    await_until(lambda: edition_of(site, device) == edition, 10, f"{device} gets {edition}")


# --- who is let in ---


def test_a_device_gets_its_own_order_as_it_was_signed_and_no_other_s(
    site: DepotSite, promote: Promote
) -> None:
    inbox = site.inbox(SMALL)
    text = inbox.order(LOST, 1, "own", SMALL)
    site.take(inbox)
    promote(**{CANARY: 0})
    await_edition(site, LOST, "own")
    answer = site.get(LOST, f"/v1/devices/{LOST}/order").json
    assert answer["order"] == text
    signature = (inbox.folder / f"orders/{LOST}/0000000001.sig").read_text().strip()
    assert answer["signature"] == signature
    other = site.get(LOST, f"/v1/devices/{CANARY}/order")
    assert (other.status, other.error) == (403, f"this is {CANARY}'s, and the certificate is {LOST}'s")
    for method, path in (("PUT", "report"), ("PUT", "request"), ("GET", "certificate")):
        assert site.ask(site.devices[LOST], method, f"/v1/devices/{CANARY}/{path}", {}).status == 403, path


def test_who_shows_no_certificate_gets_the_script_and_the_trust_and_nothing_else(
    site: DepotSite, blob: str
) -> None:
    for path in (f"/v1/devices/{CANARY}/order", f"/v1/devices/{CANARY}/certificate", blob):
        answer = site.ask(None, "GET", path)
        assert (answer.status, "show the certificate" in answer.error) == (401, True), path
    assert site.ask(None, "PUT", f"/v1/devices/{CANARY}/report", {}).status == 401
    assert site.ask(None, "GET", "/v1/trust").body == site.identity.ca.read_bytes()
    inbox = site.inbox()
    trust = site.authority.file.read_bytes() * 2
    inbox.put("trust.pem", trust)
    site.take(inbox)
    assert site.ask(None, "GET", "/v1/trust").body == trust
    nowhere = site.ask(None, "GET", "/v1/blobs/../../faces/")
    assert (nowhere.status, nowhere.error) == (404, "there is nothing of that name here")


def test_a_stranger_s_certificate_and_one_that_is_over_end_the_handshake(
    site: DepotSite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    others = Authority(tmp_path_factory.mktemp("others"))
    stranger = others.issue(CANARY)
    stranger.ca.chmod(0o644)
    stranger.ca.write_bytes(site.authority.file.read_bytes())
    over = site.authority.issue("over", begins=-9, ends=-1)
    for identity in (stranger, over):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            site.ask(identity, "GET", f"/v1/devices/{CANARY}/order")


def test_a_revoked_certificate_is_refused_on_an_open_connection_too(site: DepotSite) -> None:
    revoked = site.authority.issue(SECOND)
    connection = site.connection(revoked)
    assert asked(connection, "GET", f"/v1/devices/{SECOND}/order").status in {200, 404}
    site.revoke(revoked)
    answer = asked(connection, "GET", f"/v1/devices/{SECOND}/order")
    assert (answer.status, answer.error) == (403, f"this certificate of {SECOND} was revoked")
    connection.close()
    site.devices[SECOND] = site.authority.issue(SECOND)
    assert site.get(SECOND, f"/v1/devices/{SECOND}/order").status in {200, 404}


def test_a_name_that_the_broker_does_not_know_is_refused(site: DepotSite, blob: str) -> None:
    publisher = site.authority.issue("publisher")
    for path in (blob, "/v1/devices/publisher/order"):
        answer = site.ask(publisher, "GET", path)
        assert (answer.status, "no device of this site" in answer.error) == (403, True)


def test_nobody_is_let_in_while_it_is_not_known_who_was_revoked(site: DepotSite) -> None:
    site.access.joinpath("crl.pem").unlink()
    answer = site.get(CANARY, f"/v1/devices/{CANARY}/order")
    site.revoke()
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert site.get(CANARY, f"/v1/devices/{CANARY}/order").status in {200, 404}


def test_a_stranger_who_asks_too_often_has_to_wait_and_a_device_has_not(site: DepotSite) -> None:
    stranger = site.connection(None, address="127.0.0.9")
    answers = [asked(stranger, "GET", "/nothing") for _ in range(70)]
    stranger.close()
    assert answers[0].status == 404
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    device = site.connection(site.devices[CANARY], address="127.0.0.9")
    assert {asked(device, "GET", "/nothing").status for _ in range(70)} == {404}
    device.close()


def test_strangers_of_one_address_do_not_take_the_devices_room(site: DepotSite) -> None:
    strangers = [site.connection(None, address="127.0.0.8") for _ in range(2 * STRANGERS.of_one)]
    taken = 0
    for stranger in strangers:
        with contextlib.suppress(OSError, HTTPException):
            taken += asked(stranger, "GET", "/v1/trust").status == 200
    assert taken == STRANGERS.of_one
    silent = [socket.create_connection(("127.0.0.1", site.port), 5, ("127.0.0.8", 0)) for _ in range(300)]
    assert site.get(CANARY, "/nothing").status == 404
    for stranger in strangers:
        stranger.close()
    for connection in silent:
        connection.close()
    await_until(lambda: site.ask(None, "GET", "/v1/trust").status == 200, 5, "there is room again")


def test_a_body_has_a_bound(site: DepotSite) -> None:
    path = f"/v1/devices/{CANARY}/report"
    answer = site.ask(site.devices[CANARY], "PUT", path, b"x" * 70_000)
    assert (answer.status, answer.error) == (413, "a request may have 65536 bytes")
    assert site.ask(site.devices[CANARY], "PUT", path, b"no report").status == 400


# --- blobs ---


def test_a_blob_comes_whole_and_from_any_byte_on(site: DepotSite, blob: str) -> None:
    whole = site.get(CANARY, blob)
    assert (whole.status, whole.headers["content-length"]) == (200, str(len(LONG)))
    assert whole.body == LONG
    size = len(LONG)
    for first in (1, PIECE_BYTES - 1, size - 1):
        rest = site.get(SECOND, blob, Range=f"bytes={first}-")
        assert (rest.status, rest.headers["content-range"]) == (206, f"bytes {first}-{size - 1}/{size}")
        assert rest.body == LONG[first:]
    beyond = site.get(CANARY, blob, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert site.get(CANARY, f"/v1/blobs/{'0' * 64}").status == 404
    assert site.get(CANARY, "/v1/blobs/orders").status == 400


def test_a_blob_whose_link_was_cut_goes_on_where_it_broke_off(
    site: DepotSite, blob: str, make_proxy: MakeProxy
) -> None:
    before = site.depot.metric("facefleet_depot_cut_off_total")
    proxy = make_proxy(site.port)
    connection = site.connection(site.devices[CANARY], proxy.port)
    connection.request("GET", blob)
    answer = connection.getresponse()
    got = answer.read(2 * PIECE_BYTES + 77)
    proxy.cut()
    with pytest.raises((IncompleteRead, OSError)):
        answer.read()
    connection.close()
    rest = site.get(CANARY, blob, Range=f"bytes={len(got)}-")
    assert got + rest.body == LONG
    await_until(lambda: site.depot.metric("facefleet_depot_cut_off_total") > before, 10, "it is counted")


def test_a_blob_that_goes_in_mid_transfer_is_not_taken_for_whole(site: DepotSite) -> None:
    going = LONG[::-1]
    site.take(site.inbox(going))
    connection = site.connection(site.devices[CANARY])
    connection.request("GET", f"/v1/blobs/{digest(going)}")
    answer = connection.getresponse()
    got = answer.read(PIECE_BYTES)
    site.store.erase(layout.blob(digest(going)))
    with pytest.raises((IncompleteRead, OSError)):
        got += answer.read()
    connection.close()
    assert going.startswith(got)


# --- rings ---


def test_rings_open_one_after_the_other_and_a_failure_closes_them_for_good(
    site: DepotSite, promote: Promote
) -> None:
    good = promote(**{CANARY: 0, SECOND: 1, THIRD: 2})
    await_edition(site, CANARY, good)
    assert edition_of(site, SECOND) != good
    site.say(CANARY, "applying", None, good)
    assert site.state()["orders"][SECOND]["waits_for"] == [f"{CANARY} does not run it yet"]
    site.say(CANARY, "ok", good)
    await_edition(site, SECOND, good)
    assert edition_of(site, THIRD) != good
    site.say(SECOND, "ok", good)
    await_edition(site, THIRD, good)

    bad = promote(**{CANARY: 0, SECOND: 1, THIRD: 2})
    await_edition(site, CANARY, bad)
    site.say(CANARY, "failed", good, bad)
    site.say(CANARY, "ok", bad)  # whatever it says later
    assert (edition_of(site, SECOND), edition_of(site, THIRD)) == (good, good)
    stands = site.state()["orders"][SECOND]
    assert (stands["edition"], stands["open"], stands["closed_for_good"]) == (bad, False, True)
    assert (stands["waits_for"], stands["may_run"]) == ([f"{CANARY} failed at it"], good)

    site.depot.stop()
    site.depot.start()
    site.depot.await_healthy()
    assert edition_of(site, SECOND) == good

    better = promote(**{CANARY: 0, SECOND: 1})
    await_edition(site, CANARY, better)
    site.let_in(SECOND, THIRD, LOST)
    await_edition(site, SECOND, better)  # who was revoked holds up nobody
    site.let_in(CANARY, SECOND, THIRD, LOST)
    await_edition(site, SECOND, good)


# --- enrolment and renewal ---


def test_a_device_enrols_once(site: DepotSite) -> None:
    inbox = site.inbox()
    inbox.enrolment("newcomer", SECRET)
    site.take(inbox)
    newcomer, thief = Applicant("newcomer", SECRET), Applicant("newcomer", SECRET)
    apply, fetch = "/v1/enrolment/newcomer", "/v1/enrolment/newcomer/certificate"
    assert site.ask(None, "PUT", apply, newcomer.application, **newcomer.shown).status == 204
    assert site.ask(None, "PUT", apply, newcomer.application, **newcomer.shown).status == 204
    late = site.ask(None, "PUT", apply, thief.application, **thief.shown)
    assert (late.status, "somebody else has the secret" in late.error) == (409, True)
    assert site.ask(None, "GET", fetch, **newcomer.shown).status == 404

    site.take(inbox)  # the control host may bring it twice
    stands = site.state()["enrolment"]["newcomer"]
    assert (stands["request"], stands["mac"]) == (newcomer.request, newcomer.application["mac"])
    signing = site.inbox()
    certificate = signed(site.authority, "newcomer", newcomer.request)
    signing.put("certificates/newcomer.pem", signed(site.authority, "newcomer", thief.request))
    site.take(signing)
    assert site.ask(None, "GET", fetch, **newcomer.shown).status == 404
    signing.put("certificates/newcomer.pem", certificate)
    site.take(signing)
    assert site.ask(None, "GET", fetch, **newcomer.shown).body == certificate


def test_a_wrong_secret_a_late_one_and_no_enrolment_are_told_alike(site: DepotSite) -> None:
    inbox = site.inbox()
    inbox.enrolment("late", SECRET, minutes=-1)
    inbox.enrolment("guessed", SECRET)
    site.take(inbox)
    answers = [
        site.ask(None, "PUT", f"/v1/enrolment/{name}", applicant.application, **applicant.shown)
        for name, applicant in (
            ("late", Applicant("late", SECRET)),
            ("guessed", Applicant("guessed", b"guess")),
            ("nobody", Applicant("nobody", SECRET)),
        )
    ]
    answers.append(site.ask(None, "GET", "/v1/enrolment/guessed/certificate"))
    assert {answer.status for answer in answers} == {403}
    assert len({answer.error for answer in answers}) == 1
    assert site.state()["enrolment"]["guessed"]["request"] is None
    wrong = Applicant("somebody", SECRET)
    answer = site.ask(None, "PUT", "/v1/enrolment/guessed", wrong.application, **wrong.shown)
    assert (answer.status, "asks for the name 'somebody'" in answer.error) == (400, True)
    assert site.prune()["enrolment"] == 1


def test_a_certificate_is_renewed_by_request(site: DepotSite) -> None:
    device, ask = Applicant(THIRD), f"/v1/devices/{THIRD}/request"
    assert site.ask(site.devices[THIRD], "PUT", ask, Applicant(LOST).request).status == 400
    assert site.ask(site.devices[THIRD], "PUT", ask, device.request).status == 204
    assert site.get(THIRD, f"/v1/devices/{THIRD}/certificate").status == 404
    assert site.state()["requests"][THIRD]["request"] == device.request
    inbox = site.inbox()
    certificate = signed(site.authority, THIRD, device.request)
    inbox.put(f"certificates/{THIRD}.pem", certificate)
    site.take(inbox)
    assert site.get(THIRD, f"/v1/devices/{THIRD}/certificate").body == certificate
    assert site.ask(site.devices[THIRD], "PUT", ask, device.request).status == 204
    assert site.state()["requests"] == {}
    assert site.ask(site.devices[THIRD], "PUT", ask, Applicant(THIRD).request).status == 204
    assert site.get(THIRD, f"/v1/devices/{THIRD}/certificate").status == 404  # not the one before


# --- the control host ---


def test_the_command_says_what_is_lacking_takes_it_and_tells_how_all_stands(site: DepotSite) -> None:
    inbox = site.inbox(SMALL, b"new")
    wanted = [digest(b"new"), digest(SMALL), digest(b"new")]
    site.take(site.inbox(SMALL))
    assert json.loads(site.run("lacking", stdin=json.dumps(wanted)).stdout) == [digest(b"new")]
    (inbox.folder / "blobs" / digest(b"new")).write_bytes(b"neW")
    refused = site.run("take", str(inbox.folder))
    assert refused.returncode == 1
    assert "its content is another" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert site.store.tag(layout.blob(digest(b"new"))) == ""
    assert set(json.loads(site.run("state").stdout)) == {"reports", "requests", "enrolment", "orders"}


def tampered(name: str, content: bytes | None = None) -> Callable[[Any], None]:
    def change(inbox: Any) -> None:
        file = inbox.folder / name
        if content is None:
            file.unlink()
        else:
            inbox.put(name, content)

    return change


ORDER = f"orders/{LOST}/0000000901"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (tampered(f"blobs/{digest(SMALL)}", b"other"), "its content is another"),
        (tampered(f"{ORDER}.sig"), "text and signature come together"),
        (tampered(f"{ORDER}.sig", b"AAAA"), "is not signed with the key"),
        (tampered(f"orders/{LOST}/0000000902.sig", b"AAAA"), "text and signature come together"),
        (tampered("orders/lost/901.json", b"{}"), "the depot knows no such thing"),
        (tampered(f"certificates/{LOST}.pem", b"none"), "it is no certificate"),
        (tampered("enrolment/new.json", b'{"secret_sha256": "1"}'), "secret_sha256: String should match"),
        (lambda inbox: inbox.order(LOST, 903, "x", b"never brought"), "is neither here nor in the depot"),
        (lambda inbox: inbox.order(LOST, 1, "x", SMALL), "was ordered number"),
        (lambda inbox: inbox.folder.joinpath("trust.pem").symlink_to("/etc/passwd"), "no plain file"),
    ],
)
def test_what_was_tampered_with_is_not_taken_and_nothing_beside_it(
    site: DepotSite, change: Callable[[Any], None], complaint: str
) -> None:
    inbox = site.inbox(SMALL, b"beside it")
    inbox.order(LOST, 901, "tampered", SMALL)
    change(inbox)
    with pytest.raises(InboxError, match=complaint):
        site.take(inbox)
    assert site.store.tag(layout.blob(digest(b"beside it"))) == ""
    assert edition_of(site, LOST) != "tampered"


def test_pruning_frees_what_nobody_needs_for_ever(site: DepotSite, promote: Promote) -> None:
    old, middle, new = b"old" * 1000, b"middle" * 1000, b"new" * 1000
    first = promote(old, **{CANARY: 0, SECOND: 1})
    second = promote(middle, **{CANARY: 0, SECOND: 1})
    bad = promote(**{CANARY: 0, THIRD: 1})
    promote(new, **{CANARY: 0, SECOND: 1})
    site.say(CANARY, "failed", first, bad)
    for edition in (first, second):
        site.say(CANARY, "ok", edition)
    await_edition(site, SECOND, second)
    assert site.prune(timedelta(hours=1))["orders"] == 0
    gone = site.prune()
    assert gone["orders"] > 0
    assert gone["bytes"] >= len(old)
    left = {each.key for each in site.store.listing(layout.ROOT)}
    assert layout.blob(digest(old)) not in left
    assert {layout.blob(digest(each)) for each in (SMALL, middle, new)} <= left
    admin = site.s3.client("admin")
    versions = admin.list_object_versions(Bucket=site.bucket, Prefix=layout.blob(digest(old)))
    assert (versions.get("Versions", []), versions.get("DeleteMarkers", [])) == ([], [])
    await_edition(site, SECOND, second)
    # The order that failed is followed by others, but somebody still waits for it.
    assert site.state()["orders"][THIRD]["closed_for_good"]
    assert edition_of(site, THIRD) != bad
    assert site.prune() == {"orders": 0, "blobs": 0, "bytes": 0, "enrolment": 0}


def test_releases_are_no_faces(site: DepotSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(site.s3.credentials("eraser")))
    settings = S3Settings.model_validate({"bucket": site.bucket, "s3_endpoint": site.s3.url})
    assert list(site.store.listing(layout.report(CANARY)))
    assert list(Bucket(settings).selected(select(device=CANARY))) == []
    site.s3.client("admin").put_object(Bucket=site.bucket, Key="faces/d/c/1.png", Body=b"face")
    key = site.s3.client("depot")
    refused: list[Callable[[], object]] = [
        lambda: key.get_object(Bucket=site.bucket, Key="faces/d/c/1.png"),
        lambda: key.put_object(Bucket=site.bucket, Key="faces/d/c/1.png", Body=b"x"),
        lambda: key.delete_object(Bucket=site.bucket, Key="faces/d/c/1.png"),
        lambda: key.list_objects_v2(Bucket=site.bucket, Prefix="faces/"),
        lambda: key.list_objects_v2(Bucket=site.bucket),
    ]
    for call in refused:
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


# --- its own certificate; the last, as another authority stays ---


def serial_shown(site: DepotSite, authority: Authority) -> str:
    """Return the number of the depot's certificate; nothing while it is not one of that authority."""
    context = ssl.create_default_context(cafile=str(authority.file))
    with socket.create_connection(("127.0.0.1", site.port)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as shown:
                return str((shown.getpeercert() or {})["serialNumber"])
        except ssl.SSLCertVerificationError:
            return ""


def test_its_certificate_is_renewed_in_flight(site: DepotSite, blob: str) -> None:
    before = serial_shown(site, site.authority)
    connection = site.connection(site.devices[CANARY])
    connection.request("GET", blob)
    answer = connection.getresponse()
    got = answer.read(PIECE_BYTES)
    site.renew()
    await_until(lambda: serial_shown(site, site.authority) != before, 10, "it shows the new certificate")
    assert got + answer.read() == LONG
    assert asked(connection, "GET", f"/v1/devices/{CANARY}/certificate").status == 404
    connection.close()


def test_another_authority_is_trusted_beside_the_old_one_and_then_alone(
    site: DepotSite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    successor = Authority(tmp_path_factory.mktemp("successor"), "its successor")
    path = f"/v1/devices/{CANARY}/certificate"
    changed = successor.issue(CANARY)
    changed.ca.chmod(0o644)
    changed.ca.write_bytes(site.authority.file.read_bytes())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.ask(changed, "GET", path)
    site.trust(site.authority, successor)

    def comes_in() -> bool:
        try:
            return site.ask(changed, "GET", path).status == 404
        except (ssl.SSLError, ConnectionError):
            return False

    await_until(comes_in, 10, "the new authority's certificate counts")
    assert site.get(CANARY, path).status == 404
    site.trust(successor)
    site.renew(successor)
    await_until(lambda: serial_shown(site, successor), 10, "it shows the new authority's certificate")
    changed.ca.write_bytes(successor.file.read_bytes())
    assert site.ask(changed, "GET", path).status == 404
    old = site.devices[SECOND]
    old.ca.chmod(0o644)
    old.ca.write_bytes(successor.file.read_bytes())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.get(SECOND, path)
