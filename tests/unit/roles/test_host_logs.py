"""Which span is meant."""

import sys
from datetime import UTC, datetime
from types import ModuleType

import pytest

from tests.unit.roles.plugins import plugin

NOW = datetime(2026, 11, 25, 17, tzinfo=UTC)


@pytest.fixture
def host_logs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("logs_redaction", "logs_timeline"):  # as Ansible puts them beside the module
        monkeypatch.setitem(
            sys.modules, f"ansible.module_utils.{name}", plugin(f"logs/module_utils/{name}.py")
        )
    return plugin("logs/library/host_logs.py")


@pytest.mark.parametrize(
    ("since", "until", "meant"),
    [
        ("2h", "", ("2026-11-25T15:00", "2026-11-25T17:00")),
        ("7d", "90m", ("2026-11-18T17:00", "2026-11-25T15:30")),
        ("2026-11-24", "2026-11-24T08:30:00Z", ("2026-11-24T00:00", "2026-11-24T08:30")),
    ],
)
def test_a_span_is_read(host_logs: ModuleType, since: str, until: str, meant: tuple[str, str]) -> None:
    assert tuple(f"{each:%Y-%m-%dT%H:%M}" for each in host_logs.span(since, until, NOW)) == meant


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("yesterday", "", "is no time"),
        ("1h", "2h", "is not before"),
        ("999999999d", "", "is no time"),
        ("2w", "", "write 2h"),
    ],
)
def test_an_impossible_one_is_refused(host_logs: ModuleType, since: str, until: str, said: str) -> None:
    with pytest.raises(host_logs.TimeError, match=said):
        host_logs.span(since, until, NOW)
