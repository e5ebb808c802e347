"""The roster on disk is there whole, or as it was before."""

from pathlib import Path

import pytest
from facefleet.fleet.roster import Roster
from facefleet.watch.roster_file import load, save

from tests.statuses import NOW, say
from tests.unit.conftest import Lines


def test_what_is_written_is_read(tmp_path: Path) -> None:
    roster = Roster()
    roster.hear("jetson-01", say(), NOW)
    save(tmp_path / "roster.json", roster.as_json(NOW))

    assert load(tmp_path / "roster.json").entries == roster.entries
    assert [file.name for file in tmp_path.iterdir()] == ["roster.json"]


def test_the_first_start_has_none_and_complains_of_nothing(tmp_path: Path, lines: Lines) -> None:
    assert load(tmp_path / "roster.json").entries == []
    assert lines == []


@pytest.mark.parametrize(
    "content", [b"", b'{"version": 1, "dev', b"\xff\xfe", b'{"version": 9, "devices": {}}']
)
def test_one_that_cannot_be_read_is_begun_anew_and_says_so(
    tmp_path: Path, lines: Lines, content: bytes
) -> None:
    (tmp_path / "roster.json").write_bytes(content)

    assert load(tmp_path / "roster.json").entries == []
    assert [line["log_level"] for line in lines] == ["warning"]


def test_a_folder_that_is_not_there_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        save(tmp_path / "gone/roster.json", "{}")
