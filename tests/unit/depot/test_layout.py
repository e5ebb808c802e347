"""The keys of the bucket."""

import pytest
from facefleet.depot import layout
from facefleet.depot.layout import OrderPlace
from hypothesis import given
from hypothesis import strategies as st

DEVICES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)


@given(DEVICES, st.integers(0, 10**10 - 1))
def test_an_order_is_found_where_it_was_put(device: str, serial: int) -> None:
    place = OrderPlace(device, serial)
    assert layout.order_at(place.text) == (place, "json")
    assert layout.order_at(place.signature) == (place, "sig")
    assert place.text.startswith(layout.ROOT)


@given(DEVICES)
def test_what_each_device_has_one_of_is_found_where_it_was_put(device: str) -> None:
    assert layout.is_device(device)
    for folder, key in (
        (layout.REPORTS, layout.report(device)),
        (layout.REQUESTS, layout.request(device)),
        (layout.CERTIFICATES, layout.certificate(device)),
        (layout.ENROLMENT, layout.enrolment(device)),
    ):
        assert layout.device_at(key, folder) == device


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "..", "a.b", "a\n", "a" * 64, "é", "a%2f"])
def test_what_is_no_name_makes_no_key(name: str) -> None:
    assert not layout.is_device(name)
    assert layout.order_at(f"releases/orders/{name}/0000000001.json") is None
    assert layout.device_at(f"releases/reports/{name}.json", layout.REPORTS) is None


@pytest.mark.parametrize(
    "name", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "../" + "0" * 61, "0" * 64 + "\n"]
)
def test_what_is_no_hash_names_no_blob(name: str) -> None:
    assert not layout.is_digest(name)


@pytest.mark.parametrize(
    "key",
    ["faces/orders/a/0000000001.json", "releases/orders/a/1.json", "releases/orders/a/0000000001.txt",
     "releases/orders/a/b/0000000001.json"],
)  # fmt: skip
def test_another_key_is_no_order(key: str) -> None:
    assert layout.order_at(key) is None
