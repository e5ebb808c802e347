"""A lock file is read for another Python than this one."""

import re
from pathlib import Path

import pytest
from facefleet.bundle import wheels
from facefleet.bundle.errors import BundleError

LOCK = Path(__file__).resolve().parents[3] / "services/requirements/control.txt"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_each_package_is_there_once(version: str) -> None:
    lines = wheels.for_python(LOCK.read_text(), version).splitlines()
    names = [line.split("==")[0] for line in lines]
    assert len(set(names)) == len(names)
    assert {"ansible-core", "numpy", "cffi", "pip"} <= set(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==\S+( --hash=sha256:[0-9a-f]{64})+", line) for line in lines)


def test_a_condition_counts_for_the_python_that_is_asked_for() -> None:
    told = (
        "a==1 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n"
        "a==2 ; python_full_version >= '3.12' --hash=sha256:11\n"
    )
    assert wheels.for_python(told, "3.11") == "a==1 --hash=sha256:00\n"
    assert wheels.for_python(told, "3.13") == "a==2 --hash=sha256:11\n"


def test_what_has_no_hash_is_refused() -> None:
    with pytest.raises(BundleError, match="no hash of a"):
        wheels.for_python("a==1\n", "3.11")
