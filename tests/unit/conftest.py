"""What unit tests of several parts share."""

from collections.abc import Iterator

import pytest
import structlog

Lines = list[structlog.typing.EventDict]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, line by line."""
    with structlog.testing.capture_logs() as captured:
        yield captured
