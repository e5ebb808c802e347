"""Cameras that are devices or files are looked for before anything is touched."""

from pathlib import Path

from tests.unit.roles.conftest import Play


def test_who_is_missing_is_named_and_the_others_tell_their_group(tmp_path: Path, play: Play) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    (tmp_path / "video0").symlink_to(clip)
    cameras = {"lobby": str(clip), "yard": str(tmp_path / "video0"), "gate": "/dev/video77"}
    said = play("edge", "edge_camera_look", cameras=cameras)
    assert said["missing"] == ["gate"]
    assert said["groups"] == {name: clip.stat().st_gid for name in ("lobby", "yard")}
