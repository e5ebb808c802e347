"""One event is one line, whatever is in it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("value", ["two\nlines", "a=b c", 'say "x"', "ünïcode", "", "\u2028"])
def test_an_event_is_one_line(value: str) -> None:
    script = (
        "import sys; from facefleet.runtime import logs; logs.configure('tester');"
        "logs.get('part').info('something happened', value=sys.argv[1])"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, value], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert out.count("\n") == 1
    assert out.endswith("\n")
    assert 'level=info service=tester event="something happened" value=' in out


def test_lines_below_the_level_are_not_written() -> None:
    script = (
        "from facefleet.runtime import logs; logs.configure('tester', 'warning');"
        "logs.get('part').info('quiet'); logs.get('part').warning('loud')"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "event=loud" in out
    assert "quiet" not in out
