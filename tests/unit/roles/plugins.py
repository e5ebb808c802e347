"""Plugins of roles, which lie in no package: loaded from their files."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROLES = Path(__file__).resolve().parents[3] / "roles"


def plugin(place: str) -> ModuleType:
    """Load the file at a place below roles/."""
    spec = importlib.util.spec_from_file_location(Path(place).stem, ROLES / place)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
