"""Tests of addresses."""
# ruff: noqa: INP001 - Ansible finds it by its folder

import ipaddress
from collections.abc import Callable, Iterable


def in_networks(address: str, networks: Iterable[str]) -> bool:
    """Tell whether an address lies in one of the networks; a mapped IPv4 address counts as what it is."""
    given = ipaddress.ip_address(address.partition("%")[0])
    plain = getattr(given, "ipv4_mapped", None) or given
    return any(plain in ipaddress.ip_network(network, strict=False) for network in networks)


def is_network(text: str) -> bool:
    """Tell whether that is an address or a network of IPv4 or IPv6."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


class TestModule:
    """What Ansible looks for in such a file."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Return the tests by the name that playbooks call them by."""
        return {"firewall_in_networks": in_networks, "firewall_network": is_network}
