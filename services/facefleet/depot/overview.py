"""How all stand, for the control host."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from facefleet.depot import layout
from facefleet.depot.asked import Asked
from facefleet.depot.catalog import Catalog, Map
from facefleet.depot.desk import DeskError, Enrolment, read_enrolment
from facefleet.depot.store import Store
from facefleet.runtime.moment import iso
from facefleet.storage.trouble import AbsentError


def overview(store: Store, names: frozenset[str], now: datetime, each: Map) -> dict[str, Any]:
    """Return reports, requests and enrolments that wait, and the newest order of each device. See `Store`."""
    catalog = Catalog(store)
    catalog.read_orders(each)
    catalog.read_standings(each)
    return {
        "reports": {
            device: {**standing.report.model_dump(), "heard": iso(standing.heard)}
            for device, standing in sorted(catalog.standings.items())
        },
        "requests": dict(_requests(store)),
        "enrolment": dict(_enrolments(store)),
        "orders": {device: _newest(catalog, device, names, now) for device in sorted(catalog.devices)},
    }


def _newest(catalog: Catalog, device: str, names: frozenset[str], now: datetime) -> dict[str, Any]:
    orders = catalog.of_device(device)
    if not orders:
        return {"serial": None, "why": "its order cannot be read"}
    order = orders[0]
    waits = catalog.hindrances(order, names, now)
    opened = catalog.open_order(device, names, now)
    return {
        "serial": order.serial,
        "edition": order.edition,
        "content": order.content,
        "ring": order.ring,
        "open": not waits,
        "closed_for_good": any(each.for_good for each in waits),
        "waits_for": [str(each) for each in waits],
        "may_run": opened.edition if opened else None,
    }


def _requests(store: Store) -> Iterator[tuple[str, dict[str, str]]]:
    for device, content in _documents(store, layout.REQUESTS):
        asked = Asked.model_validate_json(content)
        yield device, {"request": asked.request, "heard": iso(asked.heard)}


def _enrolments(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    for device, content in _documents(store, layout.ENROLMENT):
        try:
            enrolment = read_enrolment(content)
        except DeskError:
            continue
        yield device, _shown(enrolment)


def _shown(enrolment: Enrolment) -> dict[str, Any]:
    application = enrolment.application
    return {
        "secret_sha256": enrolment.secret_sha256,
        "expires": iso(enrolment.expires),
        "request": application.request if application else None,
        "mac": application.mac if application else None,
        "heard": iso(enrolment.heard) if enrolment.heard else None,
    }


def _documents(store: Store, folder: str) -> Iterator[tuple[str, bytes]]:
    for listed in store.listing(folder):
        if device := layout.device_at(listed.key, folder):
            try:
                yield device, store.read(listed.key).content
            except AbsentError:
                continue
