"""A host's key and certificate are pairs, and a new one takes over in one step."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from facefleet.runtime.identity import Identity

from tests.integration.certificates import Authority, named, pem
from tests.unit.roles.conftest import Play

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a key to another")

UID = 10001


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    """A host that trusts the authority and has nothing yet."""
    folder = tmp_path / "identity"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(authority.file.read_bytes())
    return folder


def signed(authority: Authority, request_pem: str) -> str:
    """Sign for a day what a host asked for."""
    request = x509.load_pem_x509_csr(request_pem.encode())
    assert isinstance(request.public_key(), ec.EllipticCurvePublicKey)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        authority.subject,
        request.subject,
        request.public_key(),
        x509.random_serial_number(),
        now - timedelta(hours=1),
        now + timedelta(days=1),
    )
    return pem(builder.sign(authority.key, hashes.SHA256())).decode()


def renewed(play: Play, authority: Authority, folder: Path) -> dict[str, Any]:
    """Ask, sign and place, as the role does."""
    asked = play("identity", "identity_pair", folder=str(folder), uid=UID, subject="gate", names=["DNS:gate"])
    certificate = signed(authority, asked["request"])
    return play("identity", "identity_pair", folder=str(folder), uid=UID, certificate=certificate)


def target(link: Path) -> str:
    return os.readlink(link)  # noqa: PTH115 - as it is written


def test_a_request_is_for_the_name_and_its_key_stays_where_only_the_containers_read_it(
    folder: Path, play: Play
) -> None:
    asked = play(
        "identity", "identity_pair", folder=str(folder), uid=UID, subject="gate", names=["IP:10.0.0.7"]
    )
    request = x509.load_pem_x509_csr(asked["request"].encode())
    assert request.is_signature_valid
    assert request.subject == named("gate")
    key = folder / "pairs/next/host.key"
    assert (key.stat().st_uid, key.stat().st_mode & 0o777) == (UID, 0o400)
    assert not (folder / "host.key").exists()
    kept = key.read_bytes()
    again = play(
        "identity", "identity_pair", folder=str(folder), uid=UID, subject="gate", names=["IP:10.0.0.7"]
    )
    assert not again["changed"], "what waits for its certificate must not get another key"
    assert key.read_bytes() == kept


def test_a_certificate_and_its_key_count_in_one_step_and_the_pair_before_stays(
    authority: Authority, folder: Path, play: Play
) -> None:
    first = renewed(play, authority, folder)
    assert first["changed"]
    Identity.within(folder).context()
    before = target(folder / "pair")
    assert renewed(play, authority, folder)["checksum"] != first["checksum"]
    Identity.within(folder).context()
    assert target(folder / "host.key") == "pair/host.key"
    now = target(folder / "pair")
    assert {f"pairs/{pair.name}" for pair in (folder / "pairs").iterdir()} == {before, now}
    renewed(play, authority, folder)
    assert not (folder / before).exists(), "old keys must not heap up"
    assert (folder / now).exists()


def test_the_same_certificate_again_changes_nothing(authority: Authority, folder: Path, play: Play) -> None:
    renewed(play, authority, folder)
    certificate = (folder / "host.crt").read_text()
    assert not play("identity", "identity_pair", folder=str(folder), uid=UID, certificate=certificate)[
        "changed"
    ]


def test_a_certificate_of_another_key_is_refused_and_the_old_pair_goes_on(
    authority: Authority, folder: Path, play: Play
) -> None:
    renewed(play, authority, folder)
    before = target(folder / "pair")
    play("identity", "identity_pair", folder=str(folder), uid=UID, subject="gate", names=["DNS:gate"])
    other = authority.issue("other").certificate.read_text()
    with pytest.raises(AssertionError, match="not of the key"):
        play("identity", "identity_pair", folder=str(folder), uid=UID, certificate=other)
    assert target(folder / "pair") == before
    Identity.within(folder).context()


def test_plain_files_of_a_former_release_become_a_pair_without_a_new_certificate(
    authority: Authority, folder: Path, play: Play
) -> None:
    plain = authority.issue("gate")
    for name in ("host.crt", "host.key"):
        (folder / name).write_bytes((plain.certificate.parent / name).read_bytes())
    certificate = (folder / "host.crt").read_bytes()
    assert play("identity", "identity_pair", check=True, folder=str(folder), uid=UID)["changed"]
    assert not (folder / "host.crt").is_symlink()
    assert play("identity", "identity_pair", folder=str(folder), uid=UID)["changed"]
    assert (folder / "host.crt").read_bytes() == certificate
    assert target(folder / "host.crt") == "pair/host.crt"
    assert (folder / "host.key").stat().st_uid == UID
    Identity.within(folder).context()
    # The power went in the middle of that: one is a link already, the other not.
    key = (folder / "host.key").read_bytes()
    (folder / "host.key").unlink()
    (folder / "host.key").write_bytes(key)
    play("identity", "identity_pair", folder=str(folder), uid=UID)
    assert target(folder / "host.key") == "pair/host.key"
    Identity.within(folder).context()
    assert not play("identity", "identity_pair", folder=str(folder), uid=UID)["changed"]
