"""Numbers go on where the first release, without an outbox, left them."""

from pathlib import Path

import pytest
from facefleet.detector.counted import Counted, counted_before


def test_what_the_first_release_wrote_is_read(tmp_path: Path) -> None:
    file = tmp_path / "lobby.json"
    file.write_text('{"sequence": 41, "track": 7}')
    assert counted_before(file) == Counted(41, 7)


def test_without_it_nothing_was_counted(tmp_path: Path) -> None:
    assert counted_before(tmp_path / "lobby.json") == Counted(0, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sequence": 1}', '{"sequence": -1, "track": 2}'])
def test_a_damaged_one_is_left_out_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lobby.json"
    file.write_text(text)
    assert counted_before(file) == Counted(0, 0)
    assert file.read_text() == text
