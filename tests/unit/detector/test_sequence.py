"""Numbers across restarts and damage."""

import os
import time
from pathlib import Path

import pytest
from facefleet.detector.sequence import Numbers
from facefleet.runtime.service import ServiceError


def test_it_starts_with_one_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "door.json"
    numbers = Numbers(file)
    assert (numbers.sequence, numbers.track) == (0, 0)
    assert [numbers.next(track=1), numbers.next(track=2), numbers.next(track=1)] == [1, 2, 3]
    again = Numbers(file)
    assert (again.sequence, again.track) == (3, 2)
    assert again.next(track=3) == 4


def test_a_start_without_events_keeps_the_numbers(tmp_path: Path) -> None:
    Numbers(tmp_path / "door.json").next(track=9)
    Numbers(tmp_path / "door.json")
    assert Numbers(tmp_path / "door.json").track == 9


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"sequence": -1, "track": 0}',
        b'{"sequence": "1", "track": 0}',
        b'{"sequence": true, "track": 0}',
        b'{"sequence": 1.5, "track": 0}',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_file_is_set_aside_and_tracks_still_do_not_repeat(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "door.json"
    file.write_bytes(content)
    numbers = Numbers(file)
    assert (tmp_path / "door.corrupt").read_bytes() == content
    assert numbers.next(track=numbers.track + 1) == 1
    assert numbers.track >= int(time.time()) - 60
    assert Numbers(file).sequence == 1


def test_a_draft_left_by_a_crash_does_not_count(tmp_path: Path) -> None:
    Numbers(tmp_path / "door.json").next(track=1)
    (tmp_path / "door.new").write_text('{"sequence": 99')
    assert Numbers(tmp_path / "door.json").sequence == 1


def test_a_missing_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"door\.json cannot be used .*mount a volume at .*/absent"):
        Numbers(tmp_path / "absent" / "door.json")


def test_an_unusable_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "door.json").mkdir()
    with pytest.raises(ServiceError, match=f"user {os.getuid()} may write"):
        Numbers(tmp_path / "door.json")
