"""A release is laid out beside what the operator made, and never over it."""

import io
import tarfile
from pathlib import Path

import pytest
from facefleet.bundle import release
from facefleet.bundle.errors import BundleError


def archive(path: Path, **files: str) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/"))
            entry.size, entry.mode = len(text), 0o755 if text.startswith("#!") else 0o644
            made.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_a_release_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    folder = tmp_path / "facefleet"
    first = archive(tmp_path / "first", site="one", old="gone soon", roles__run="#!/bin/sh")
    assert release.lay_out(first, folder) == 3
    (folder / "inventory").mkdir()
    (folder / "inventory/hosts.yml").write_text("mine")
    release.refuse_another(folder)
    assert release.lay_out(first, folder) == 0
    assert release.lay_out(archive(tmp_path / "second", site="two", roles__run="#!/bin/sh"), folder) == 2
    assert (folder / "site").read_text() == "two"
    assert not (folder / "old").exists()
    assert (folder / "inventory/hosts.yml").read_text() == "mine"
    assert (folder / "roles/run").stat().st_mode & 0o777 == 0o755


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(BundleError, match="holds something else"):
        release.refuse_another(tmp_path)


def test_a_file_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "facefleet"
    release.lay_out(archive(tmp_path / "first", site="one"), folder)
    (folder / "site").write_text("better")
    with pytest.raises(BundleError, match="site was changed by hand"):
        release.refuse_another(folder)
