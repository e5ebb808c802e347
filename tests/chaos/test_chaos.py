"""The short set: every fault once, a test a row."""

import contextlib
import json
import os
from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException

from tests.chaos.campaign import Campaign, Outcome, newest_images, source_told
from tests.chaos.rows import ROWS, Row
from tests.chaos.table import cells, drawn
from tests.images import NoImageError

SHORT = [row for row in ROWS if not row.long]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return []


@pytest.fixture(scope="module")
def campaign(outcomes: list[Outcome], pytestconfig: pytest.Config) -> Iterator[Campaign]:
    try:
        engine = docker.from_env(timeout=120)
        engine.ping()
        images = newest_images(engine, json.loads(os.environ.get("FACEFLEET_TEST_IMAGES", "{}")))
    except (DockerException, NoImageError) as error:
        pytest.skip(str(error))
    with contextlib.closing(engine), Campaign(engine, images, source=source_told()) as opened:
        yield opened
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            opened.journal.say(f"\n\n{drawn(outcomes)}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", SHORT, ids=lambda row: row.slug)
def test_nothing_is_lost_and_nothing_is_stored_twice(
    campaign: Campaign, outcomes: list[Outcome], row: Row
) -> None:
    outcome = campaign.run(row, cycles=1)
    outcomes.append(outcome)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.good, "\n".join([" ".join(cells(outcome)), *outcome.reasons])
