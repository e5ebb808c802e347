"""An identity is three files that fit each other, or the one to blame is named."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from facefleet.runtime import identity as identity_module
from facefleet.runtime.identity import Identity, IdentityError

from tests.integration.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def identity(authority: Authority) -> Identity:
    return authority.issue("jetson-01")


def trouble(identity: Identity) -> str:
    with pytest.raises(IdentityError) as raised:
        identity.context()
    return str(raised.value)


def test_good_files_make_a_context(identity: Identity) -> None:
    assert identity.mounted
    assert identity.context().check_hostname


@pytest.mark.parametrize("name", ["ca.crt", "host.crt", "host.key"])
@pytest.mark.parametrize(("content", "words"), [(None, "is missing"), (b"", "holds no"), (b"x", "holds no")])
def test_a_file_that_is_missing_or_something_else_is_named(
    identity: Identity, name: str, content: bytes | None, words: str
) -> None:
    file = identity.ca.with_name(name)
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    said = trouble(identity)
    assert said.startswith(f"{file} {words}")
    assert said.endswith(": run site.yml for this host")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_we_may_not_read_is_named(identity: Identity) -> None:
    identity.key.chmod(0)
    assert trouble(identity) == (
        f"{identity.key} cannot be read: Permission denied: let the service's user read it"
    )


def test_a_folder_in_the_place_of_a_file_is_named(identity: Identity) -> None:
    identity.key.unlink()
    identity.key.mkdir()
    assert trouble(identity).startswith(f"{identity.key} cannot be read: Is a directory")


@pytest.mark.parametrize("name", ["ca.crt", "host.crt", "host.key"])
def test_a_damaged_file_is_named(identity: Identity, name: str) -> None:
    file = identity.ca.with_name(name)
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content[:60] + b"AAAA" + content[64:90] + content[-40:])
    assert str(file) in trouble(identity)


def test_a_key_of_another_certificate_is_told(authority: Authority, identity: Identity) -> None:
    other = authority.issue("jetson-02")
    said = trouble(Identity(identity.ca, identity.certificate, other.key))
    assert said.startswith(f"the key {other.key} is not of the certificate {identity.certificate}: ")


def test_an_encrypted_key_is_not_asked_for(identity: Identity) -> None:
    key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
    identity.key.chmod(0o644)
    identity.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert "is damaged or encrypted" in trouble(identity)


def test_a_folder_that_is_not_there_is_not_mounted(tmp_path: Path) -> None:
    assert not Identity.within(tmp_path / "none").mounted


def test_one_that_is_renewed_between_two_files_is_read_again(
    authority: Authority, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads key and certificate one after the other may meet one of the old pair and one of the new."""
    other = authority.issue("jetson-02")
    read = identity_module._look_at
    looked: list[str] = []

    def renewed_meanwhile(file: Path, kind: str) -> None:
        read(file, kind)
        looked.append(kind)
        if looked == ["certificate", "certificate", "key"]:
            other.key.replace(identity.key)  # the certificate follows once OpenSSL has complained

    def complained(context: ssl.SSLContext, certificate: Path, key: Path, password: str) -> None:
        try:
            load(context, certificate, key, password)
        finally:
            if other.certificate.exists():
                other.certificate.replace(identity.certificate)

    load = ssl.SSLContext.load_cert_chain
    monkeypatch.setattr(identity_module, "_look_at", renewed_meanwhile)
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", complained)
    assert identity.context().check_hostname
    assert len(looked) == 6, "it was read twice"
