"""What may be had of the orders in the bucket."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from facefleet.depot.catalog import Catalog
from facefleet.depot.layout import OrderPlace
from facefleet.depot.store import Document, Listed, Store

from tests.unit.conftest import Lines

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
NAMES = frozenset({"a-canary", "b-second"})
SUM = {"sha256": "0" * 64, "size": 1}


class Shelves(Store):
    """A bucket in memory: of a real one no listing can be had that goes on while orders are brought."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.come_during: list[tuple[OrderPlace, int]] = []
        """Come after the first listing has begun, in this order."""

    def bring(self, place: OrderPlace, ring: int, **changes: Any) -> None:
        order = {
            "version": 1, "device": place.device, "serial": place.serial, "edition": "e", "ring": ring,
            "soak_s": 0, "playbooks": SUM, "images": {}, "puller": {"ref": "p", "archive": SUM},
        } | changes  # fmt: skip
        self.objects |= {place.signature: b"", place.text: json.dumps(order).encode()}

    def listing(self, prefix: str) -> Iterator[Listed]:
        before = sorted(self.objects)
        coming, self.come_during = self.come_during, []
        for place, ring in coming:
            self.bring(place, ring)
        # As two pages: of what came meanwhile only that of the second one shows.
        page = [key for key in before if key < f"{prefix}b"] + [
            key for key in self.objects if key >= f"{prefix}b"
        ]
        yield from (Listed(key, 1, NOW) for key in sorted(page) if key.startswith(prefix))

    def read(self, key: str) -> Document:
        return Document(self.objects[key], "")


def test_a_later_ring_that_shows_before_those_it_waits_for_is_not_open() -> None:
    shelves = Shelves()
    shelves.come_during = [(OrderPlace("a-canary", 1), 0), (OrderPlace("b-second", 1), 1)]
    catalog = Catalog(shelves)
    catalog.read_orders()
    assert catalog.open_order("b-second", NAMES, NOW) is None
    assert catalog.open_order("a-canary", NAMES, NOW)


def test_an_order_without_its_signature_is_none_yet() -> None:
    shelves = Shelves()
    place = OrderPlace("a-canary", 1)
    shelves.bring(place, 0)
    signature = shelves.objects.pop(place.signature)
    catalog = Catalog(shelves)
    catalog.read_orders()
    assert catalog.open_order("a-canary", NAMES, NOW) is None
    shelves.objects[place.signature] = signature
    catalog.read_orders()
    assert catalog.open_order("a-canary", NAMES, NOW)
    shelves.objects.clear()
    catalog.read_orders()
    assert catalog.devices == set()


def test_an_order_that_cannot_be_read_is_told_once_and_holds_up_nobody(lines: Lines) -> None:
    shelves = Shelves()
    shelves.bring(OrderPlace("a-canary", 1), 0)
    shelves.bring(OrderPlace("a-canary", 2), 0, version=2)
    catalog = Catalog(shelves)
    for _ in range(3):
        catalog.read_orders()
    order = catalog.open_order("a-canary", NAMES, NOW)
    assert order
    assert order.serial == 1
    assert [line["reason"] for line in lines] == ["version: Input should be 1"]
