"""What the one look at a host tells of its containers and images."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.roles.conftest import module_of

SERVICES = ["broker", "logger"]
WANTED = {"broker": "b1", "logger": "l1", "probe": "p1"}
BROKER = "broker b1 sha256:b running Up 2 minutes (healthy)"
LOGGER = "logger l1 sha256:l running Up 2 minutes (healthy)"


@pytest.fixture(scope="module")
def stack_state() -> ModuleType:
    return module_of("stack", "stack_state")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([BROKER, LOGGER], []),
        ([BROKER], ["logger is not there"]),
        ([BROKER, "logger l0 sha256:l running Up 2 minutes (healthy)"], ["logger has another definition"]),
        ([BROKER, "logger l1 sha256:l running Up 2 minutes (unhealthy)"], ["logger is not healthy"]),
        ([BROKER, "logger l1 sha256:l running Up 2 seconds (health: starting)"], ["logger is not healthy"]),
        ([BROKER, "logger l1 sha256:l exited Exited (1) 3 seconds ago"], ["logger is not healthy"]),
        ([BROKER, LOGGER, "old o1 sha256:o running Up 3 days (healthy)"], ["old should not be there"]),
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


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        ({}, ["broker", "logger"]),
        ({"coming": WANTED | {"logger": "l2"}}, ["broker"]),
        ({"images": {"b:1": "sha256:b", "l:1": "sha256:other"}}, ["broker"]),
        ({"images": {"b:1": "", "l:1": ""}}, ["broker", "logger"]),
        ({"images": {}}, ["broker", "logger"]),
        ({"listing": BROKER.replace("healthy", "unhealthy") + "\n" + LOGGER}, ["logger"]),
        ({"listing": LOGGER}, ["logger"]),
        ({"listing": ""}, []),
    ],
    ids=[
        "same",
        "definition",
        "image",
        "image not known",
        "image of another",
        "sick",
        "gone",
        "nothing runs",
    ],
)
def test_a_service_stays_if_it_is_well_and_will_be_the_very_same(
    stack_state: ModuleType, changes: dict[str, object], stays: list[str]
) -> None:
    said = {
        "images": {"b:1": "sha256:b", "l:1": "sha256:l"},
        "coming": WANTED,
        "listing": f"{BROKER}\n{LOGGER}",
    } | changes
    found = stack_state.running(said.pop("listing"))
    services = {"broker": "b:1", "logger": "l:1"}
    assert stack_state.staying(services, said["images"], said["coming"], found) == stays


def test_an_image_is_lacking_that_is_not_there_or_is_another(stack_state: ModuleType) -> None:
    listing = "b:1 sha256:b\nl:1 sha256:l\n<none>:<none> sha256:x\n"
    wanted = {"b:1": "sha256:b", "l:1": "sha256:other", "f:1": "sha256:f", "d:1": ""}
    assert stack_state.lacking(wanted, listing) == ["l:1", "f:1", "d:1"]
    assert stack_state.lacking({"b:1": ""}, listing) == []
