"""Where `make unit` puts the real videos and the real model."""

from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / ".demo"


def present(file: Path) -> Path:
    if not file.is_file():
        pytest.skip(f"{file} is missing: make unit gets it")
    return file
