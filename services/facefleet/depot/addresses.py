"""Whose an address is. Pure."""

import ipaddress

NET_OF_ONE = 64
"""Whoever has one IPv6 address has as many as that many bits leave."""


def owner(address: str) -> str:
    """Return what all addresses have in common that one owner may have."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - of IP
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), NET_OF_ONE), strict=False))
