"""What is asked for no more is known by the files that its role writes."""

from typing import Any

import pytest
import yaml

from tests.unit.roles.conftest import ROLES

(PLAY,) = yaml.safe_load((ROLES / "../playbooks/prepared/options.yml").read_text())
SIGNS: list[str] = PLAY["vars"]["options_signs"]
TRACES: dict[str, list[str]] = PLAY["vars"]["options_traces"]


@pytest.mark.parametrize("role", TRACES)
def test_the_playbook_names_files_that_the_role_writes(role: str) -> None:
    said: dict[str, Any] = yaml.safe_load((ROLES / f"{role}/vars/main.yml").read_text())
    texts = [text for text in said.values() if isinstance(text, str)]
    written = {text.replace("{{ firewall_unit }}", said.get("firewall_unit", "")) for text in texts}
    assert set(TRACES[role]) <= written


@pytest.mark.parametrize("role", TRACES)
def test_each_file_that_the_role_writes_says_whose_it_is(role: str) -> None:
    parts = [file for folder in ("tasks", "templates", "vars") for file in (ROLES / role / folder).glob("*")]
    texts = [file.read_text() for file in parts]
    assert sum(any(sign in text for text in texts) for sign in SIGNS) == (2 if role == "time_sync" else 1)
