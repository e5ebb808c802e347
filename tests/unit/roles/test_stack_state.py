"""What the one look at a host tells of its containers."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

MODULE = Path(__file__).resolve().parents[3] / "roles/stack/library/stack_state.py"
SERVICES = ["broker", "logger"]
WANTED = {"broker": "b1", "logger": "l1", "probe": "p1"}
BROKER, LOGGER = "broker b1 running Up 2 minutes (healthy)", "logger l1 running Up 2 minutes (healthy)"


@pytest.fixture(scope="module")
def stack_state() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stack_state", MODULE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([BROKER, LOGGER], []),
        ([BROKER], ["logger is not there"]),
        ([BROKER, "logger l0 running Up 2 minutes (healthy)"], ["logger has another definition"]),
        ([BROKER, "logger l1 running Up 2 minutes (unhealthy)"], ["logger is not healthy"]),
        ([BROKER, "logger l1 running Up 2 seconds (health: starting)"], ["logger is not healthy"]),
        ([BROKER, "logger l1 exited Exited (1) 3 seconds ago"], ["logger is not healthy"]),
        ([BROKER, LOGGER, "old o1 running Up 3 days (healthy)"], ["old should not be there"]),
    ],
)
def test_it_says_in_words_what_is_not_as_it_should_be(
    stack_state: ModuleType, lines: list[str], said: list[str]
) -> None:
    found = stack_state.running("\n".join(lines))
    assert stack_state.compare(SERVICES, WANTED, found) == said


def test_a_file_that_cannot_be_read_is_no_files_digest(stack_state: ModuleType, tmp_path: Path) -> None:
    assert stack_state.digest(tmp_path / "missing") == ""
    (tmp_path / "empty").touch()
    assert stack_state.digest(tmp_path / "empty") != ""
