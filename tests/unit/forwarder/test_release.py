"""The release that the host shows."""

from pathlib import Path

from facefleet.forwarder.release import running_release, updates


def test_it_is_read_each_time_and_nothing_where_none_is_shown(tmp_path: Path) -> None:
    assert running_release(tmp_path) == ""
    (tmp_path / "release").write_text("77e0c2b19a45\n")
    assert running_release(tmp_path) == "77e0c2b19a45"
    (tmp_path / "release").write_bytes(b"\xff" * 1000)
    assert len(running_release(tmp_path)) == 64


def test_how_it_stands_with_its_updates_is_what_the_puller_shows(tmp_path: Path) -> None:
    assert updates(tmp_path) is None
    (tmp_path / "pull.json").write_text('{"state": "ok", "edition": "0a1b2c3d4e5f"}')
    assert updates(tmp_path) == {"state": "ok", "edition": "0a1b2c3d4e5f"}
    for broken in ("", "[1]", "{"):
        (tmp_path / "pull.json").write_text(broken)
        assert updates(tmp_path) is None
