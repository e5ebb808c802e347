"""Who is let in."""

import os
from pathlib import Path

import pytest
from cryptography import x509
from facefleet.depot.access import Access, UnknownError
from facefleet.runtime.identity import Identity

from tests.integration.certificates import Authority, replaced

ACL = "topic read $SYS/#\n\nuser jetson-01\ntopic write x/#\n\nuser jetson-02\ntopic write y/#\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    authority = Authority(tmp_path / "authority")
    replaced(tmp_path / "crl.pem", authority.crl.read_bytes())
    replaced(tmp_path / "acl", ACL.encode())
    return tmp_path


def serial_of(identity: Identity) -> int:
    return x509.load_pem_x509_certificate(identity.certificate.read_bytes()).serial_number


def test_who_is_listed_and_not_revoked_is_let_in(folder: Path) -> None:
    access = Access(folder)
    assert access.names() == {"jetson-01", "jetson-02"}
    assert access.objection("jetson-01", 7) is None
    assert "put it into the inventory" in (access.objection("jetson-03", 7) or "")
    assert "put it into the inventory" in (access.objection("", 7) or "")


def test_changes_count_at_once_and_lists_of_two_authorities_together(folder: Path) -> None:
    access = Access(folder)
    old, new = Authority(folder / "old"), Authority(folder / "new")
    lost, found = old.issue("jetson-01"), new.issue("jetson-01")
    assert access.objection("jetson-01", serial_of(lost)) is None
    replaced(folder / "crl.pem", old.revoke(lost).crl.read_bytes() + new.revoke(found).crl.read_bytes())
    for identity in (lost, found):
        assert (
            access.objection("jetson-01", serial_of(identity)) == "this certificate of jetson-01 was revoked"
        )
    replaced(folder / "acl", ACL.replace("user jetson-02", "user jetson-07").encode())
    assert access.names() == {"jetson-01", "jetson-07"}


@pytest.mark.parametrize("name", ["acl", "crl.pem"])
def test_without_the_files_nobody_is_let_in(folder: Path, name: str) -> None:
    access = Access(folder)
    assert access.objection("jetson-01", 7) is None
    file = folder / name
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(UnknownError, match=rf"{name}: No such file or directory: run site.yml"):
        access.objection("jetson-01", 7)
    replaced(file, content)
    assert access.objection("jetson-01", 7) is None


@pytest.mark.parametrize("content", [b"", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_a_damaged_list_lets_nobody_in(folder: Path, content: bytes) -> None:
    replaced(folder / "crl.pem", content)
    with pytest.raises(UnknownError, match=r"crl\.pem"):
        Access(folder).objection("jetson-01", 7)


def test_a_file_is_read_when_it_changed_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(folder)
    access.objection("jetson-01", 7)
    monkeypatch.setattr(Path, "read_bytes", lambda _: os.abort())
    assert access.objection("jetson-01", 7) is None
