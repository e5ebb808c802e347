"""A release becomes the current one, and what is too old goes."""

import os
from pathlib import Path

import pytest

from tests.unit.roles.conftest import Play


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three releases, each with a file of its own; the third is current."""
    home = tmp_path / "edge"
    (home / "files").mkdir(parents=True)
    for number in (1, 2, 3, 4):
        release = home / f"releases/r{number}"
        release.mkdir(parents=True)
        file = home / f"files/{number}-mosquitto"
        file.touch()
        (release / "compose.yaml").write_text(f"source: {file}")
        os.utime(release, (number, number))
    (home / "current").symlink_to("releases/r3")
    return home


def test_the_links_move_and_the_services_are_shown_its_name(home: Path, play: Play) -> None:
    said = play("stack", "stack_promote", home=str(home), release="r4", keep=3)
    assert said["changed"]
    assert os.readlink(home / "current") == "releases/r4"  # noqa: PTH115 - as it is written
    assert (home / "compose.yaml").resolve() == home / "releases/r4/compose.yaml"
    assert (home / "shown/release").read_text() == "r4\n"
    assert (home / "shown").stat().st_mode & 0o777 == 0o755
    assert (home / "shown/release").stat().st_mode & 0o777 == 0o644
    assert {folder.name for folder in (home / "releases").iterdir()} == {"r2", "r3", "r4"}
    assert {file.name[0] for file in (home / "files").iterdir()} == {"2", "3", "4"}
    assert not play("stack", "stack_promote", home=str(home), release="r4", keep=3)["changed"]


def test_an_older_one_that_comes_back_stays_whatever_its_age(home: Path, play: Play) -> None:
    play("stack", "stack_promote", home=str(home), release="r1", keep=2)
    assert {folder.name for folder in (home / "releases").iterdir()} == {"r1", "r4"}


def test_mending_removes_nothing(home: Path, play: Play) -> None:
    said = play("stack", "stack_promote", home=str(home), release="r3", keep=0)
    assert said["moved"] == [str(home / name) for name in ("history", "compose.yaml", "shown/release")]
    assert said["removed"] == []
    assert len(list((home / "releases").iterdir())) == 4


def test_check_mode_tells_and_leaves_all_as_it_is(home: Path, play: Play) -> None:
    assert play("stack", "stack_promote", check=True, home=str(home), release="r4", keep=1)["changed"]
    assert not play("stack", "stack_promote", check=True, home=str(home), release="r3", keep=1)["changed"]
    assert (home / "current").resolve().name == "r3"
    assert len(list((home / "releases").iterdir())) == 4
    assert play("stack", "stack_promote", check=True, home=str(home / "none"), release="r4", keep=1)[
        "changed"
    ]


def test_what_is_oldest_is_told_by_the_order_of_promotion_not_by_a_clock(home: Path, play: Play) -> None:
    play("stack", "stack_promote", home=str(home), release="r3", keep=0)
    assert (home / "history").read_text().split() == ["r1", "r2", "r4", "r3"]
    for number, clock in ((5, 0), (6, 2**31)):  # 1970, and years ahead
        folder = home / f"releases/r{number}"
        folder.mkdir()
        (folder / "compose.yaml").touch()
        os.utime(folder, (clock, clock))
        play("stack", "stack_promote", home=str(home), release=f"r{number}", keep=3)
    assert {folder.name for folder in (home / "releases").iterdir()} == {"r3", "r5", "r6"}
    assert (home / "history").read_text().split()[-3:] == ["r3", "r5", "r6"]


def test_what_never_came_through_goes_and_the_one_that_just_failed_stays(home: Path, play: Play) -> None:
    play("stack", "stack_promote", home=str(home), release="r3", keep=0)
    for name in ("bad1", "bad2"):
        (home / "releases" / name).mkdir()
        (home / "releases" / name / "compose.yaml").touch()
    (home / "coming").write_text("bad2\n")
    (home / "releases/half").mkdir()
    play("stack", "stack_promote", home=str(home), release="r3", keep=3, failed="bad2")
    assert {folder.name for folder in (home / "releases").iterdir()} == {"r2", "r3", "r4", "bad2"}
    assert not (home / "coming").exists()
    play("stack", "stack_promote", home=str(home), release="r4", keep=2)
    assert {folder.name for folder in (home / "releases").iterdir()} == {"r3", "r4"}
