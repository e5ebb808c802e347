"""Imports go one way: services use the shared parts, and no service another."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "services/facefleet"
SHARED = {"runtime", "messaging", "storage"}
MAY_IMPORT = {
    "runtime": set[str](),
    "custody": {"runtime"},
    "messaging": {"runtime"},
    "courier": {"custody", "messaging", "runtime"},
    "storage": {"runtime"},
    "fleet": set(),
    "watch": {"runtime", "messaging", "fleet"},
    "logger": {"runtime", "messaging"},
    "forwarder": {"runtime", "messaging", "custody", "courier"},
    "detector": {"runtime", "messaging", "custody", "courier"},
    "probe": {"runtime", "messaging"},
    "processor": SHARED,
    "bucket": {"runtime", "storage"},
    "gallery": SHARED | {"fleet"},
    "forget": {"runtime", "storage"},
    "puller": {"runtime", "messaging", "fleet"},
    "depot": {"runtime", "storage"},
    "bundle": set(),
    "sheet": SHARED,
    "rehearsal": {"runtime", "messaging", "detector", "sheet"},
}


def imported_parts(file: Path) -> set[str]:
    """Return the sub-packages of facefleet that a file imports."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("facefleet.")}


@pytest.mark.parametrize(
    "part", sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    for file in (PACKAGE / part).rglob("*.py"):
        assert imported_parts(file) - {part} <= MAY_IMPORT[part], file
