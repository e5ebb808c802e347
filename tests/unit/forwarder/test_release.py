"""The release that the host shows."""

from pathlib import Path

from facefleet.forwarder.release import running_release


def test_it_is_read_each_time_and_nothing_where_none_is_shown(tmp_path: Path) -> None:
    assert running_release(tmp_path) == ""
    (tmp_path / "release").write_text("77e0c2b19a45\n")
    assert running_release(tmp_path) == "77e0c2b19a45"
    (tmp_path / "release").write_bytes(b"\xff" * 1000)
    assert len(running_release(tmp_path)) == 64
