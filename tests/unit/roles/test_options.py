"""What is asked for no more is known by the files that its role writes."""

from typing import Any

import pytest
import yaml

from tests.unit.roles.conftest import ROLES

(PLAY,) = yaml.safe_load((ROLES / "../playbooks/prepared/options.yml").read_text())
TRACES: dict[str, list[str]] = PLAY["vars"]["options_traces"]


@pytest.mark.parametrize("role", TRACES)
def test_the_playbook_names_files_that_the_role_writes(role: str) -> None:
    said: dict[str, Any] = yaml.safe_load((ROLES / f"{role}/vars/main.yml").read_text())
    texts = [text for text in said.values() if isinstance(text, str)]
    written = {text.replace("{{ firewall_unit }}", said.get("firewall_unit", "")) for text in texts}
    assert set(TRACES[role]) <= written
