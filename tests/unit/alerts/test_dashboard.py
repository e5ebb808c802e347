"""The dashboard names metrics that there are, and asks the data source that its user chooses."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from facefleet.fleet.roster import Roster, utc_now
from facefleet.processor import desk
from facefleet.watch.figures import Figures
from facefleet.watch.post import Post
from prometheus_client import REGISTRY, CollectorRegistry

from tests.statuses import say
from tests.templates import CLOUD, ROOT, defaults, rendered

DASHBOARD = ROOT / "docs/grafana.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def parts(node: object) -> Iterator[dict[str, Any]]:
    """Yield every object in it."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from parts(child)


def metrics_that_there_are() -> set[str]:
    """Return the names of the samples of the watch and of the processor, as they are scraped."""
    assert desk.COMPLAIN_EVERY_S  # imported, its metrics are registered
    registry = CollectorRegistry()
    roster = Roster()
    roster.hear("jetson-01", say(), utc_now())
    Figures(Post(roster), registry)
    families = [*registry.collect(), *REGISTRY.collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {f"{family.name}{suffix}" for family in families for suffix in suffixes.get(family.type, ("",))}


@pytest.mark.parametrize(
    "text",
    [DASHBOARD.read_text(), rendered(CLOUD / "alerts.yml.j2", **defaults("cloud"))],
    ids=["board", "rules"],
)
def test_each_metric_that_is_named_is_one_that_we_have(text: str) -> None:
    named = set(re.findall(r"\bfacefleet_\w+", text))

    assert len(named) > 10
    assert named - metrics_that_there_are() == set()


def test_each_metric_that_the_guide_names_is_one_that_we_have() -> None:
    named = set(
        re.findall(r"\bfacefleet_(?:device|watch)_\w+", Path(ROOT / "docs/monitoring.md").read_text())
    )

    assert named
    assert named - metrics_that_there_are() == set()


def test_every_panel_and_query_asks_the_chosen_source() -> None:
    sources = [part["datasource"] for part in parts(dashboard()) if "datasource" in part]

    assert sources
    assert all(source == SOURCE for source in sources)
    assert {variable["name"]: variable["type"] for variable in dashboard()["templating"]["list"]} == {
        "source": "datasource",
        "device": "query",
    }


def test_panels_have_numbers_of_their_own_and_do_not_lie_on_each_other() -> None:
    panels = dashboard()["panels"]
    cells = [
        (column, row)
        for place in (panel["gridPos"] for panel in panels)
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 24
