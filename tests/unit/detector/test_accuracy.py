"""What the finders find of 43 faces that somebody marked."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from facefleet.detector.finding.haar import Haar
from facefleet.detector.finding.yunet_onnx import YuNetOnnx

from tests.bench.detector.accuracy import Found, Tables, measure
from tests.bench.detector.labelled import pictures
from tests.demo_files import DEMO, present

if TYPE_CHECKING:
    from facefleet.detector.finding.face import FaceFinder

MARKED = 43


@pytest.fixture(scope="module")
def table(model: Path) -> dict[str, dict[str, Found]]:
    finders: dict[str, FaceFinder] = {"yunet": YuNetOnnx(model, 0.75, 640), "haar": Haar(20)}
    present(DEMO / "labelled" / "testing.xml")
    return measure(list(pictures(DEMO / "labelled")), finders, 0.75)


def test_every_face_is_found_and_nothing_else(table: dict[str, dict[str, Found]]) -> None:
    assert table["as they are"]["yunet"] == (MARKED, MARKED, 0)


def test_damage_costs_few(table: dict[str, dict[str, Found]]) -> None:
    for damage, row in table.items():
        assert row["yunet"].recall >= 0.9, damage
        assert row["yunet"].false <= 1, damage
        assert row["yunet"].found > row["haar"].found, damage


def test_the_count_itself_can_fail() -> None:
    tables: Tables = {"part": {"damage": {"finder": Found(10, 8, 3)}}}
    found = tables["part"]["damage"]["finder"]
    assert found.recall == 0.8
    assert found.precision == pytest.approx(8 / 11)
