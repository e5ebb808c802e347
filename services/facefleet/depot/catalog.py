"""What was ordered of whom, what each said of it, and so what each may have now."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import ValidationError

from facefleet.depot import layout
from facefleet.depot.layout import OrderPlace
from facefleet.depot.order import Ordered, OrderError, read_order
from facefleet.depot.report import Standing
from facefleet.depot.rings import Hindrance, hindrances
from facefleet.depot.store import Store
from facefleet.runtime import logs
from facefleet.storage.trouble import AbsentError

_log = logs.get("depot")

A = TypeVar("A")
B = TypeVar("B")


class Map(Protocol):
    """`map`, or that of a pool."""

    def __call__(self, function: Callable[[A], B], given: Iterable[A], /) -> Iterator[B]:
        """Return what the function makes of each, in order."""


class Catalog:
    """The orders of the bucket and how the devices stand; read from there, kept here.

    Orders may be read on one thread while another asks; all else is for one thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders: dict[OrderPlace, Ordered | None] = {}
        """None is one that cannot be read."""
        self._standings: dict[str, Standing] = {}

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Return how each device stands that said something."""
        return self._standings

    @property
    def devices(self) -> set[str]:
        """Return who was ever ordered something."""
        return {place.device for place in self._orders}

    def read_orders(self, each: Map = map) -> None:
        """Read the orders that came, and forget those that went. See `Store`."""
        whole = self._places()
        # While somebody brings orders, a listing may hold a later ring's and not yet those that it waits for:
        # they are brought ring by ring, so the next one holds them.
        while whole != (again := self._places()):
            whole = again
        known = self._orders
        new = [place for place in whole if place not in known]
        read = dict(zip(new, each(self._read_order, new), strict=True))
        self._orders = {place: known[place] if place in known else read[place] for place in whole}

    def read_standings(self, each: Map = map) -> None:
        """Read how the devices stood. See `Store`."""
        keys = {
            device: listed.key
            for listed in self._store.listing(layout.REPORTS)
            if (device := layout.device_at(listed.key, layout.REPORTS))
        }
        for device, standing in zip(keys, each(self._read_standing, keys.values()), strict=True):
            if standing:
                self._standings[device] = standing

    def stands(self, device: str, standing: Standing) -> None:
        """Note how a device stands."""
        self._standings[device] = standing

    def of_device(self, device: str) -> list[Ordered]:
        """Return the orders of a device, the newest first."""
        own = [order for order in self._orders.values() if order and order.device == device]
        return sorted(own, key=lambda order: -order.serial)

    def hindrances(self, order: Ordered, counted: frozenset[str], now: datetime) -> list[Hindrance]:
        """Return whom an order waits for; only devices that count hold up others."""
        newest: dict[str, Ordered] = {}
        for other in self._orders.values():
            if other and other.edition == order.edition and other.device in counted:
                known = newest.get(other.device)
                if known is None or known.serial < other.serial:
                    newest[other.device] = other
        return hindrances(order, newest.values(), self._standings, now)

    def open_order(self, device: str, counted: frozenset[str], now: datetime) -> Ordered | None:
        """Return the newest order of a device whose ring is open."""
        return next(
            (each for each in self.of_device(device) if not self.hindrances(each, counted, now)), None
        )

    def needed(self, counted: frozenset[str], now: datetime) -> set[OrderPlace]:
        """Return the orders that somebody may still ask for, and those of the rings that these wait for.

        Without the latter nothing would say that they wait.
        """
        asked: list[Ordered] = []
        for device in self.devices:
            opened = self.open_order(device, counted, now)
            newest = self.of_device(device)
            asked += [each for each in newest if opened is None or each.serial >= opened.serial]
        last_ring: dict[str, int] = {}
        for each in asked:
            last_ring[each.edition] = max(each.ring, last_ring.get(each.edition, 0))
        waited_for = [
            order for order in self._orders.values() if order and order.ring < last_ring.get(order.edition, 0)
        ]
        return {OrderPlace(each.device, each.serial) for each in [*asked, *waited_for]}

    def _places(self) -> list[OrderPlace]:
        """Return which orders are whole, in the order of their keys."""
        there: dict[OrderPlace, set[str]] = {}
        for listed in self._store.listing(layout.ORDERS):
            if found := layout.order_at(listed.key):
                there.setdefault(found[0], set()).add(found[1])
        return [place for place, kinds in there.items() if kinds == {"json", "sig"}]

    def _read_order(self, place: OrderPlace) -> Ordered | None:
        try:
            return read_order(self._store.read(place.text).content).ordered
        except OrderError as error:
            _log.error("an order cannot be read", key=place.text, reason=str(error))
        except AbsentError:
            _log.info("an order went", key=place.text)
        return None

    def _read_standing(self, key: str) -> Standing | None:
        try:
            return Standing.model_validate_json(self._store.read(key).content)
        except ValidationError:
            _log.error("a report cannot be read", key=key, remedy="the device's next one replaces it")
        except AbsentError:
            _log.info("a report went", key=key)
        return None
