"""One line of a plan, in words."""

from tests.unit.roles.plugins import plugin


def test_a_line_says_how_much_of_what() -> None:
    line = {
        "area": "faces",
        "device": "jetson-07",
        "camera": "lobby",
        "objects": 1200,
        "versions": 1201,
        "delete_marks": 0,
        "bytes": 27_600_000,
        "first": "2026-11-01T00:00:00Z",
        "last": "2026-11-02T00:00:00Z",
    }
    forget_line = plugin("forget/filter_plugins/forget_line.py").forget_line
    assert forget_line(line) == (
        "faces/jetson-07/lobby: 1,200 objects, 1,201 versions, 27.6 MB, "
        "2026-11-01T00:00:00Z to 2026-11-02T00:00:00Z"
    )
    probes = {**line, "area": "probes", "camera": "", "delete_marks": 2, "bytes": 999}
    assert forget_line(probes).startswith(
        "probes/jetson-07: 1,200 objects, 1,201 versions and 2 delete marks, 999 bytes,"
    )
