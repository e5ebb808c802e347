"""A renewal is one step, and only a certificate of this key, name and fleet counts."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from facefleet.puller.renewal import Keeper, RenewalError

NOW = datetime(2026, 11, 28, 21, tzinfo=UTC)


class Authority:
    """Signs for anybody."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Facefleet test")])
        self.pem = self._sign(self._name, self._key.public_key(), 3650)

    def sign(self, device: str, key: ec.EllipticCurvePublicKey, days: float = 300) -> bytes:
        return self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)]), key, days)

    def answer(self, request: bytes) -> bytes:
        asked = x509.load_pem_x509_csr(request)
        assert asked.is_signature_valid
        key = asked.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return self._sign(asked.subject, key, 397)

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePublicKey, days: float) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("jetson-01")]), critical=False)
        )
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """An identity with 30 days left, as the role makes it."""
    pair = tmp_path / "pairs/first"
    pair.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    (pair / "host.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (pair / "host.crt").write_bytes(authority.sign("jetson-01", key.public_key(), 30))
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    (tmp_path / "pair").symlink_to("pairs/first")
    for name in ("host.crt", "host.key"):
        (tmp_path / name).symlink_to(f"pair/{name}")
    return tmp_path


@pytest.fixture
def keeper(folder: Path) -> Keeper:
    return Keeper(folder, os.getuid())


def test_it_is_due_when_few_days_are_left(keeper: Keeper) -> None:
    assert keeper.is_due(31, NOW)
    assert not keeper.is_due(29, NOW)


def test_the_pair_changes_in_one_step_and_the_one_before_stays(
    keeper: Keeper, folder: Path, authority: Authority
) -> None:
    request = keeper.request()
    assert keeper.waits
    assert keeper.request() == request, "the same request again, or it would never fit"
    before = (folder / "host.crt").read_bytes()
    assert keeper.take(authority.answer(request), "jetson-01", NOW)
    assert (folder / "host.crt").read_bytes() != before
    assert (folder / "host.key").stat().st_mode & 0o777 == 0o400
    assert not keeper.waits
    assert not keeper.is_due(60, NOW)
    assert sorted(path.name for path in (folder / "pairs").iterdir()) == sorted(
        ["first", (folder / "pair").readlink().name]
    )
    names = keeper.certificate().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [name.value for name in names.value] == ["jetson-01"]


def test_what_is_not_for_this_key_is_left_alone(keeper: Keeper, authority: Authority) -> None:
    keeper.request()
    other = authority.sign("jetson-01", ec.generate_private_key(ec.SECP256R1()).public_key())
    assert not keeper.take(other, "jetson-01", NOW)
    assert keeper.waits


def test_another_name_another_authority_and_another_time_do_not_count(
    keeper: Keeper, authority: Authority
) -> None:
    request = keeper.request()
    good = authority.answer(request)
    with pytest.raises(RenewalError, match="is for jetson-01, not for jetson-02"):
        keeper.take(good, "jetson-02", NOW)
    with pytest.raises(RenewalError, match="does not trust"):
        keeper.take(Authority().answer(request), "jetson-01", NOW)
    with pytest.raises(RenewalError, match="clock"):
        keeper.take(good, "jetson-01", NOW - timedelta(days=400))
    with pytest.raises(RenewalError, match="cannot be read"):
        keeper.take(b"-", "jetson-01", NOW)
    assert keeper.waits


def test_it_trusts_whom_the_order_names_but_never_nobody_who_knows_it(
    keeper: Keeper, folder: Path, authority: Authority
) -> None:
    both = (authority.pem + Authority().pem).decode()
    assert keeper.trust(both)
    assert (folder / "ca.crt").read_text() == both
    assert not keeper.trust(both)
    assert not keeper.trust("")
    with pytest.raises(RenewalError, match="trusts no authority of this device's certificate"):
        keeper.trust(Authority().pem.decode())
    assert (folder / "ca.crt").read_text() == both


def test_a_layout_of_a_former_release_says_what_to_do(keeper: Keeper, folder: Path) -> None:
    (folder / "pair").unlink()
    with pytest.raises(RenewalError, match=r"identity\.yml"):
        keeper.request()
