"""The bench runs, so that it cannot rot. What it measures here says nothing, and is not looked at."""

import json
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from tests.bench.table import Row, Target, render
from tests.images import newest_image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def images() -> None:
    try:
        engine = docker.from_env()
        newest_image(engine, "broker")
        newest_image(engine, "s3")
        engine.close()
    except (DockerException, LookupError) as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("name", ["spool", "puts", "client", "forward", "gallery", "latency"])
def test_it_runs_to_its_end(name: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--smoke", "--only", name, "--json", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text())["rows"]
    assert rows
    for row in rows:
        assert all(sample >= 0 for sample in row["ours"]), row


def test_a_ratio_below_its_target_is_named() -> None:
    slow = Row("a", "slow", "1/s", [1.0, 1.2], [4.0, 4.0], "other", Target("at least", 0.5))
    quick = Row("a", "quick", "1/s", [3.0], [4.0], "other", Target("at least", 0.5))
    large = Row("a", "large", "MB", [65.0], target=Target("at most", 64))
    assert (slow.reached, quick.reached, large.reached) == (False, True, False)
    lines = render([slow, quick, large], smoke=False).splitlines()
    assert [line.rsplit("  ", 1)[-1].strip() for line in lines[1:]] == ["BELOW TARGET", "ok", "BELOW TARGET"]
    assert "BELOW" not in render([slow], smoke=True)
