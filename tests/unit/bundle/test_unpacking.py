"""A bundle is unpacked if all of it is what was signed, and otherwise nothing is; the part is named."""

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest
from facefleet.bundle import packing, unpacking
from facefleet.bundle.errors import BundleError
from facefleet.bundle.manifest import Manifest
from facefleet.bundle.packing import Signer

BLOCK = 512


def where(bundle: Path, name: str) -> tuple[int, int]:
    """Return where a part's content begins and ends."""
    with tarfile.open(bundle) as archive:
        entry = archive.getmember(name)
        return entry.offset_data, entry.offset_data + entry.size


def spoil(bundle: Path, offset: int) -> None:
    """Turn one bit."""
    with bundle.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def refused(bundle: Path, manifest: Manifest, folder: Path, words: str) -> None:
    """Expect that it is refused with these words, and that nothing is there after it."""
    with pytest.raises(BundleError, match=words) as error:
        unpacking.unpack(bundle, manifest, folder / ".bundle")
    assert "nothing was installed" in str(error.value)
    assert not folder.exists()


def test_all_parts_are_there_as_they_were(
    bundle: Path, manifest: Manifest, files: dict[str, Path], tmp_path: Path
) -> None:
    seen: list[int] = []
    folder = tmp_path / "into/.bundle"
    unpacking.unpack(bundle, manifest, folder, lambda _, done: seen.append(done))
    for name, file in files.items():
        assert (folder / name).read_bytes() == file.read_bytes()
    assert seen == sorted(seen)
    assert seen[-1] == manifest.size
    assert unpacking.is_unpacked(manifest, folder)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("part", ["release.tar.gz", "images/amd64.tar.gz", "wheels/a-1.0-py3-none-any.whl"])
def test_a_bit_that_turned_is_found(
    bundle: Path, manifest: Manifest, tmp_path: Path, part: str, place: str
) -> None:
    begin, end = where(bundle, part)
    spoil(bundle, {"first": begin, "middle": (begin + end) // 2, "last": end - 1}[place])
    refused(bundle, manifest, tmp_path / "into", f"the part {part} of .* is not what was signed")


def test_a_header_that_is_damaged_is_found(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    begin, _ = where(bundle, "images/amd64.tar.gz")
    spoil(bundle, begin - BLOCK)
    refused(bundle, manifest, tmp_path / "into", "part images/amd64.tar.gz")


def test_a_bundle_that_was_cut_off_is_found_wherever(
    bundle: Path, manifest: Manifest, tmp_path: Path
) -> None:
    whole = bundle.read_bytes()
    last = max(where(bundle, part.name)[1] for part in manifest.parts)
    for size in [*range(0, last, 100_000), last - 1]:
        bundle.write_bytes(whole[:size])
        refused(bundle, manifest, tmp_path / "into", "cut off|damaged")


def test_a_cut_names_the_part_that_it_is_in(bundle: Path, manifest: Manifest, tmp_path: Path) -> None:
    begin, end = where(bundle, "images/amd64.tar.gz")
    bundle.write_bytes(bundle.read_bytes()[: (begin + end) // 2])
    refused(bundle, manifest, tmp_path / "into", "cut off in its part images/amd64.tar.gz")


def repacked(bundle: Path, entries: list[tuple[str, bytes]]) -> None:
    with tarfile.open(bundle, "w") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def test_parts_in_another_order_or_beside_them_are_refused(
    bundle: Path, manifest: Manifest, files: dict[str, Path], tmp_path: Path
) -> None:
    entries = [(name, file.read_bytes()) for name, file in files.items()]
    repacked(bundle, entries[::-1])
    refused(bundle, manifest, tmp_path / "into", "where its part release.tar.gz")
    repacked(bundle, [*entries, ("../../outside", b"x")])
    refused(bundle, manifest, tmp_path / "into", "holds ../../outside, which its manifest does not name")
    assert not (tmp_path / "outside").exists()


def test_what_was_there_before_stays_when_a_bundle_is_refused(
    bundle: Path, manifest: Manifest, tmp_path: Path
) -> None:
    folder = tmp_path / "into/.bundle"
    unpacking.unpack(bundle, manifest, folder)
    spoil(bundle, where(bundle, "release.tar.gz")[0])
    with pytest.raises(BundleError):
        unpacking.unpack(bundle, manifest, folder)
    assert unpacking.is_unpacked(manifest, folder)
    assert [path.name for path in folder.parent.iterdir()] == [".bundle"]


def test_a_part_that_is_gone_from_the_folder_is_missed(
    bundle: Path, manifest: Manifest, tmp_path: Path
) -> None:
    folder = tmp_path / "into/.bundle"
    unpacking.unpack(bundle, manifest, folder)
    (folder / "release.tar.gz").unlink()
    assert not unpacking.is_unpacked(manifest, folder)


def test_without_room_it_says_so(
    bundle: Path, manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = type("Usage", (), {"free": manifest.size - 1})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(BundleError, match="MB free"):
        unpacking.unpack(bundle, manifest, tmp_path / "into/.bundle")
    assert not (tmp_path / "into").exists()


def test_the_same_makes_the_same_byte_for_byte(
    bundle: Path, manifest: Manifest, files: dict[str, Path], signer: Signer
) -> None:
    before = hashlib.sha256(bundle.read_bytes()).hexdigest()
    packing.pack(bundle, manifest, files, signer)
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() == before
