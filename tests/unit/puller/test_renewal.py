"""A renewal is one step, and only a certificate of this key, name and fleet counts."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from facefleet.puller.renewal import Keeper, RenewalError

from tests.unit.puller.conftest import NOW, Authority


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
