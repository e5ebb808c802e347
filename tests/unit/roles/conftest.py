"""Modules of roles, as Python has them and as Ansible runs them."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"
Play = Callable[..., dict[str, Any]]


def module_of(role: str, name: str) -> ModuleType:
    """Load a role's module."""
    spec = importlib.util.spec_from_file_location(name, ROLES / role / "library" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its named tuples look for themselves there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a role's module with arguments, and return what it answers."""

    def run(role: str, name: str, *, check: bool = False, **arguments: object) -> dict[str, Any]:
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments | {"_ansible_check_mode": check}}))
        module = ROLES / role / "library" / f"{name}.py"
        done = subprocess.run([sys.executable, module, file], capture_output=True, text=True, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
        assert not answer.get("failed"), answer
        return answer

    return run
