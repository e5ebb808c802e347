"""Mutual TLS against a real broker: who is let in, who is not, and what is said of it."""

import os
import secrets
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from facefleet.messaging.link import Delivery, Link, Outcome
from facefleet.runtime.identity import Identity

from tests.integration.certificates import Authority, replaced
from tests.integration.conftest import MakeLink, MakeTlsBroker
from tests.integration.containers import CONNECT, TlsBroker
from tests.integration.waiting import await_until

MESSAGES = 10_000
IN_FLIGHT = 500
FACE = 20_000
MINE = "face_detection/jetson-01/lobby"


class States:
    """What a link said of its connection."""

    def __init__(self) -> None:
        self.said: list[tuple[bool, str]] = []

    def __call__(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - as the link calls it
        self.said.append((connected, detail))

    @classmethod
    def of(cls, make_link: MakeLink, broker: TlsBroker, identity: Identity) -> Self:
        """Connect to a broker, and follow what becomes of it."""
        states = cls()
        make_link(broker.tls_url, identity=identity, on_state=states)
        return states

    def await_connect(self, number: int = 1) -> None:
        await_until(lambda: self.connects >= number, 20, f"{number} connects: {self.said}")

    def await_trouble(self, *words: str, timeout: float = 20) -> str:
        """Wait until it says that it is not connected, in these words."""
        await_until(
            lambda: self.said and not self.said[-1][0] and all(word in self.said[-1][1] for word in words),
            timeout,
            f"{words}: {self.said}",
        )
        return self.said[-1][1]

    @property
    def connects(self) -> int:
        return [connected for connected, _ in self.said].count(True)


@pytest.fixture
def states() -> States:
    return States()


@pytest.fixture
def jetson(authority: Authority) -> Identity:
    return authority.issue("jetson-01")


@pytest.fixture
def broker(make_tls_broker: MakeTlsBroker) -> TlsBroker:
    made = make_tls_broker()
    made.start()
    return made


def outcome_of(link: Link, topic: str, payload: bytes = b"x") -> Outcome:
    outcomes: list[Outcome] = []
    link.publish(topic, payload, done=outcomes.append)
    return await_until(lambda: outcomes, 10, f"{topic} is answered")[0]


class Pump:
    """Publishes numbered messages as fast as they are answered, from the link's thread."""

    def __init__(self, link: Link, number: int, size: int) -> None:
        self.link = link
        self.outcomes: list[Outcome] = []
        self._number = number
        self._filling = os.urandom(size)
        self._next = 0
        self.done = threading.Event()

    def start(self) -> None:
        for _ in range(IN_FLIGHT):
            self.link.loop.call(self._one)

    def _one(self) -> None:
        if self._next < self._number:
            payload = self._next.to_bytes(4, "big") + self._filling[4:]
            self._next += 1
            self.link.publish(MINE, payload, done=self._answered)

    def _answered(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if len(self.outcomes) == self._number:
            self.done.set()
        self._one()


def test_ten_thousand_messages_arrive_once_each(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, jetson: Identity
) -> None:
    """Both ways over TLS: what we write, and what we read."""
    broker.allow(
        "user jetson-01\ntopic write face_detection/#\nuser processor\ntopic read face_detection/#\n"
    )
    broker.reload()
    got: list[tuple[int, bytes]] = []

    def take(delivery: Delivery) -> None:
        got.append((int.from_bytes(delivery.payload[:4], "big"), delivery.payload[4:]))
        delivery.acknowledge()

    taker = make_link(
        broker.tls_url,
        identity=authority.issue("processor"),
        subscriptions=["face_detection/#"],
        on_message=take,
        receive_maximum=1000,
    )
    publisher = make_link(broker.tls_url, identity=jetson)
    await_until(lambda: taker.connected and publisher.connected, 20, "both are connected")
    await_until(lambda: outcome_of(publisher, MINE, b"\xff" * 4) is Outcome.ACCEPTED, 10, "it has subscribed")
    pump = Pump(publisher, MESSAGES, FACE)
    pump.start()
    assert pump.done.wait(90)
    assert set(pump.outcomes) == {Outcome.ACCEPTED}
    await_until(lambda: len(got) >= MESSAGES + 1, 60, "all arrive")
    numbers = [number for number, _ in got if number != 0xFFFFFFFF]
    assert sorted(numbers) == list(range(MESSAGES))
    assert {filling for number, filling in got if number != 0xFFFFFFFF} == {pump._filling[4:]}


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 5_000_000])
def test_messages_of_any_size_arrive_whole(
    broker: TlsBroker, make_link: MakeLink, jetson: Identity, size: int
) -> None:
    got: list[bytes] = []

    def take(delivery: Delivery) -> None:
        got.append(delivery.payload)
        delivery.acknowledge()

    make_link(broker.port, subscriptions=["face_detection/#"], on_message=take)
    link = make_link(broker.tls_url, identity=jetson)
    await_until(lambda: link.connected, 20, "it is connected")
    payload = os.urandom(size)
    await_until(lambda: outcome_of(link, MINE, payload) is Outcome.ACCEPTED, 20, "there is a subscriber")
    await_until(lambda: payload in got, 20, "it arrives")


def test_a_device_may_write_its_own_topics_and_no_other(
    broker: TlsBroker, make_link: MakeLink, jetson: Identity
) -> None:
    broker.allow("user jetson-01\ntopic write face_detection/jetson-01/#\ntopic read receipts/jetson-01\n")
    broker.reload()
    link = make_link(broker.tls_url, identity=jetson)
    await_until(lambda: link.connected, 20, "it is connected")
    await_until(lambda: outcome_of(link, MINE) is Outcome.UNROUTED, 10, "its own topic is its own")
    for topic in ("face_detection/jetson-02/lobby", "receipts/jetson-01", "status/jetson-02", "x"):
        assert outcome_of(link, topic) is Outcome.REFUSED
    assert link.connected


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_broker_may_be_named_by_name_or_address(
    broker: TlsBroker, make_link: MakeLink, jetson: Identity, states: States, host: str
) -> None:
    make_link(f"mqtts://{host}:{broker.tls_port}", identity=jetson, on_state=states)
    states.await_connect()


def foreign(ours: Authority, name: str) -> Identity:
    """Return an identity that trusts our authority and is another's."""
    theirs = Authority(ours.folder / "theirs", name).issue("jetson-01")
    return Identity(ours.file, theirs.certificate, theirs.key)


Bad = Callable[[Authority], Identity]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda ours: foreign(ours, "other"), ("not signed by the CA that the broker trusts",)),
        (lambda ours: foreign(ours, "fleet"), ("not signed by the CA that the broker trusts",)),
        (lambda ours: ours.issue("jetson-01", begins=-9, ends=-1), ("it has expired", "run site.yml")),
        (lambda ours: ours.issue("jetson-01", begins=1, ends=9), ("not valid yet", "clock")),
        (lambda ours: ours.issue("jetson-01", ("jetson-01",)), ("not made for clients",)),
    ],
    ids=["foreign CA", "CA made anew", "expired", "not valid yet", "a server's"],
)
def test_a_bad_certificate_is_refused_and_the_reason_said(  # noqa: PLR0917 - each is a fixture
    broker: TlsBroker,
    make_link: MakeLink,
    authority: Authority,
    states: States,
    bad: Bad,
    words: tuple[str, ...],
) -> None:
    make_link(broker.tls_url, identity=bad(authority), on_state=states)
    said = states.await_trouble("unreachable", "the broker refused our certificate", *words)
    assert broker.tls_url in said
    await_until(lambda: len(states.said) >= 3, 20, "it goes on trying")
    assert states.connects == 0


def test_a_revoked_certificate_is_refused_and_another_goes_on(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, jetson: Identity, states: States
) -> None:
    broker.revoke(jetson)
    broker.reload()
    make_link(broker.tls_url, identity=jetson, on_state=states)
    states.await_trouble("the broker refused our certificate, it is revoked", "readmit")
    others = States()
    make_link(broker.tls_url, identity=authority.issue("jetson-02"), on_state=others)
    others.await_connect()


def test_without_a_certificate_nobody_is_let_in(
    broker: TlsBroker, make_link: MakeLink, states: States
) -> None:
    make_link(broker.tls_port, on_state=states)
    states.await_trouble("it hung up without an answer", "mqtts://")
    context = ssl.create_default_context(cafile=broker.authority.file)
    with (
        socket.create_connection(("127.0.0.1", broker.tls_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(CONNECT)
        with pytest.raises(ssl.SSLError, match="certificate required"):
            connection.recv(1)


def test_a_port_without_tls_is_told_as_such(
    broker: TlsBroker, make_link: MakeLink, jetson: Identity, states: States
) -> None:
    make_link(f"mqtts://127.0.0.1:{broker.port}", identity=jetson, on_state=states)
    states.await_trouble("it hung up in the TLS handshake", "TLS port?")


@pytest.mark.parametrize(
    ("hosts", "options", "words"),
    [
        (("elsewhere", "10.0.0.1"), {}, ("does not name 127.0.0.1",)),
        (("127.0.0.1",), {"begins": -9, "ends": -1}, ("its certificate has expired", "here it is 20")),
        (("127.0.0.1",), {"begins": 1}, ("its certificate is not valid yet", "clock")),
    ],
    ids=["another name", "expired", "not valid yet"],
)
def test_a_broker_with_a_bad_certificate_is_not_talked_to(  # noqa: PLR0917 - each is a fixture
    make_tls_broker: MakeTlsBroker,
    make_link: MakeLink,
    jetson: Identity,
    states: States,
    hosts: tuple[str, ...],
    options: dict[str, int],
    words: tuple[str, ...],
) -> None:
    broker = make_tls_broker()
    broker.identify(*hosts, **options)
    broker.start()
    make_link(broker.tls_url, identity=jetson, on_state=states)
    states.await_trouble("unreachable", *words)


@pytest.mark.parametrize("name", ["other", "fleet"])
def test_a_broker_of_another_fleet_is_not_talked_to(
    broker: TlsBroker, make_link: MakeLink, tmp_path: Path, states: States, name: str
) -> None:
    """Of another name, or of the same: an authority that was made anew."""
    other = Authority(tmp_path / "other", name)
    make_link(broker.tls_url, identity=other.issue("jetson-01"), on_state=states)
    states.await_trouble("its certificate is not signed by our CA")


class Persistent(Pump):
    """Has custody: what was not accepted it publishes again."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, 0, 1000)
        self.accepted: set[int] = set()
        self.enough = threading.Event()

    @property
    def sent(self) -> int:
        return self._next

    def _one(self) -> None:
        if not self.enough.is_set():
            self._next += 1
            self._send(self._next - 1)

    def _send(self, number: int) -> None:
        payload = number.to_bytes(4, "big") + self._filling[4:]
        self.link.publish(MINE, payload, done=lambda outcome: self._take(number, outcome))

    def _take(self, number: int, outcome: Outcome) -> None:
        if outcome is Outcome.ACCEPTED:
            self.accepted.add(number)
            self._one()
        else:
            self.link.loop.after(0.05, lambda: self._send(number))


def place(issued: Identity, ours: Identity) -> None:
    """Let a certificate and its key count in one step, as the role `identity` does."""
    folder = ours.ca.parent
    pair = folder / "pairs" / secrets.token_hex(6)
    pair.mkdir(parents=True)
    (pair / "host.crt").write_bytes(issued.certificate.read_bytes())
    (pair / "host.key").write_bytes(issued.key.read_bytes())
    draft = folder / "draft"
    draft.symlink_to(pair)
    draft.replace(folder / "pair")
    if not ours.ca.exists():
        ours.ca.write_bytes(issued.ca.read_bytes())
        ours.certificate.symlink_to("pair/host.crt")
        ours.key.symlink_to("pair/host.key")


def test_files_are_read_at_each_dial(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, states: States, tmp_path: Path
) -> None:
    """Missing at first, then of different pairs, then good, then renewed."""
    ours = Identity.within(tmp_path / "identity")
    make_link(broker.tls_url, identity=ours, on_state=states)
    states.await_trouble(str(ours.ca), "is missing", "run site.yml")
    ours.ca.parent.mkdir()
    first, second = authority.issue("jetson-01"), authority.issue("jetson-02")
    for target, source in (
        (ours.ca, first.ca),
        (ours.certificate, first.certificate),
        (ours.key, second.key),
    ):
        target.write_bytes(source.read_bytes())
    states.await_trouble("is not of the certificate", str(ours.key))
    ours.certificate.write_bytes(second.certificate.read_bytes())
    states.await_connect()
    broker.revoke(second)
    broker.stop()
    broker.start()
    states.await_trouble("it is revoked")
    third = authority.issue("jetson-03")
    ours.certificate.write_bytes(third.certificate.read_bytes())
    ours.key.write_bytes(third.key.read_bytes())
    states.await_connect(2)


RIGHTS = """\
topic readwrite #

user {name}
topic write face_detection/{name}/#
topic read receipts/{name}
"""


class Device:
    """A device that is connected, and what it hears."""

    def __init__(self, broker: TlsBroker, make_link: MakeLink, identity: Identity, client_id: str) -> None:
        self.states = States()
        self.heard: list[bytes] = []
        self.link = make_link(
            broker.tls_url,
            client_id,
            identity=identity,
            subscriptions=["receipts/jetson-01"],
            on_message=self._hear,
            on_state=self.states,
        )
        self.states.await_connect()

    def _hear(self, delivery: Delivery) -> None:
        self.heard.append(delivery.payload)
        delivery.acknowledge()

    def write(self, device: str = "jetson-01") -> Outcome:
        return outcome_of(self.link, f"face_detection/{device}/lobby")


def test_a_device_that_is_revoked_has_no_rights_and_its_session_can_be_ended(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, jetson: Identity
) -> None:
    """What playbooks/revoke.yml does: CRL and ACL, a HUP, and a client at the plain port of the same id."""
    other = authority.issue("jetson-02")
    broker.allow(RIGHTS.format(name="jetson-01") + RIGHTS.format(name="jetson-02"))
    broker.reload()
    device = Device(broker, make_link, jetson, "any name that it likes")
    bystander = Device(broker, make_link, other, "jetson-02")
    operator = make_link(broker.port)
    await_until(lambda: operator.connected, 20, "the operator is connected")
    await_until(
        lambda: outcome_of(operator, "receipts/jetson-01", b"before") is Outcome.ACCEPTED, 10, "it listens"
    )
    await_until(lambda: b"before" in device.heard, 10, "it hears")

    broker.revoke(jetson)
    broker.reload()
    assert device.write() is Outcome.UNROUTED, "the CRL alone ends no session, and takes no rights"

    broker.allow(RIGHTS.format(name="jetson-02"))
    broker.reload()
    assert device.write() is Outcome.REFUSED
    outcome_of(operator, "receipts/jetson-01", b"after")
    assert device.write() is Outcome.REFUSED  # the broker writes in order: it would have come before this
    assert b"after" not in device.heard

    ender = make_link(broker.port, "jetson-01")
    device.states.await_trouble("the broker refused our certificate, it is revoked")
    assert any("Session taken over" in detail for _, detail in device.states.said)
    ender.stop()
    assert device.states.connects == 1
    assert bystander.states.said == [(True, "connected")]
    assert bystander.write("jetson-02") is Outcome.UNROUTED


def test_no_device_can_end_the_session_of_another(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, jetson: Identity
) -> None:
    """Whatever it calls itself: the name in the certificate is what counts."""
    device = Device(broker, make_link, jetson, "jetson-01")
    other = Device(broker, make_link, authority.issue("jetson-02"), "jetson-01")
    assert device.write() is Outcome.UNROUTED
    assert other.write() is Outcome.REFUSED
    assert device.states.said == [(True, "connected")]


def test_a_renewed_certificate_of_the_broker_counts_after_a_hup_and_ends_no_session(
    broker: TlsBroker, make_link: MakeLink, jetson: Identity
) -> None:
    device = Device(broker, make_link, jetson, "jetson-01")
    first = shown(broker, jetson)
    renewed = serial_of(broker.identify("localhost", "127.0.0.1").certificate.read_bytes())
    assert shown(broker, jetson) == first
    broker.reload()
    assert shown(broker, jetson) == renewed != first
    assert device.write() is Outcome.UNROUTED
    assert device.states.said == [(True, "connected")]


def test_a_renewed_certificate_of_a_device_renews_its_connection_and_loses_nothing(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, tmp_path: Path, states: States
) -> None:
    """Again and again under load. What had no answer its holder sends again, which here is the test."""
    got: set[int] = set()

    def take(delivery: Delivery) -> None:
        got.add(int.from_bytes(delivery.payload[:4], "big"))
        delivery.acknowledge()

    taker = make_link(broker.port, subscriptions=["face_detection/#"], on_message=take, receive_maximum=1000)
    ours = Identity.within(tmp_path / "identity")
    place(authority.issue("jetson-01"), ours)
    link = make_link(broker.tls_url, "jetson-01", identity=ours, on_state=states)
    await_until(lambda: taker.connected and link.connected, 20, "both are connected")
    await_until(lambda: outcome_of(link, MINE, b"\xff" * 4) is Outcome.ACCEPTED, 10, "it has subscribed")
    pump = Persistent(link)
    pump.start()
    for renewal in range(1, 6):
        before = len(pump.accepted)
        await_until(lambda: len(pump.accepted) > before + 50, 30, "messages flow")  # noqa: B023 - at once
        place(authority.issue("jetson-01"), ours)
        states.await_connect(1 + renewal)
    pump.enough.set()
    await_until(lambda: len(pump.accepted) == pump.sent, 60, "all are accepted")
    await_until(lambda: len(got - {0xFFFFFFFF}) == pump.sent, 60, "all arrive")
    assert {connected for connected, _ in states.said} == {True}, "nobody was told that it was away"


def test_a_renewed_certificate_that_the_broker_refuses_leaves_the_connection_as_it_is(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, tmp_path: Path, states: States
) -> None:
    """In TLS 1.3 a client's handshake is done before the broker has looked."""
    ours = Identity.within(tmp_path / "identity")
    place(authority.issue("jetson-01"), ours)
    link = make_link(broker.tls_url, "jetson-01", identity=ours, on_state=states)
    states.await_connect()
    place(foreign(authority, "other"), ours)
    await_until(lambda: "verify failed" in broker.log(), 20, "it tries, and the broker refuses")
    assert outcome_of(link, MINE) is Outcome.UNROUTED
    assert states.said == [(True, "connected")]


def test_an_authority_is_replaced_side_by_side_by_hups_alone(
    broker: TlsBroker, make_link: MakeLink, authority: Authority, tmp_path: Path, jetson: Identity
) -> None:
    """Each of the two with its own list of the revoked; what is connected stays so."""
    new = Authority(tmp_path / "next", "fleet 2")
    good, gone, lost = new.issue("jetson-02"), new.issue("jetson-03"), authority.issue("jetson-04")
    for identity in (good, gone):
        replaced(identity.ca, authority.file.read_bytes() + new.file.read_bytes())
    authority.revoke(lost)
    new.revoke(gone)
    old = Device(broker, make_link, jetson, "jetson-01")
    other = authority.issue("jetson-05")
    states = States()
    link = make_link(broker.tls_url, identity=good, on_state=states)
    states.await_trouble("not signed by the CA that the broker trusts")

    broker.trust(authority, new)
    broker.reload()
    states.await_connect()
    assert outcome_of(link, "face_detection/jetson-02/lobby") is Outcome.UNROUTED
    States.of(make_link, broker, other).await_connect()
    for revoked in (gone, lost):
        States.of(make_link, broker, revoked).await_trouble("it is revoked")

    broker.trust(new)
    broker.reload()
    States.of(make_link, broker, authority.issue("jetson-06")).await_trouble(
        "not signed by the CA that the broker trusts"
    )
    assert old.write() is Outcome.UNROUTED
    assert [connected for connected, _ in old.states.said] == [True]


def shown(broker: TlsBroker, identity: Identity) -> int:
    """Return the serial number of the certificate that the broker shows to who connects now."""
    with (
        socket.create_connection(("127.0.0.1", broker.tls_port), timeout=10) as plain,
        identity.context().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
    assert certificate
    return x509.load_der_x509_certificate(certificate).serial_number


def serial_of(certificate: bytes) -> int:
    return x509.load_pem_x509_certificate(certificate).serial_number


def test_a_crl_that_is_out_of_date_refuses_everybody(
    broker: TlsBroker, make_link: MakeLink, jetson: Identity, states: States
) -> None:
    """So the authority's must last: this is why, and how it shows."""
    broker.revoke(ends=-1)
    broker.reload()
    make_link(broker.tls_url, identity=jetson, on_state=states)
    states.await_trouble("the broker's CRL has")
