"""Which enrolments wait for a signature, and whether a request was made by who has the secret."""
# ruff: noqa: INP001 - Ansible finds it by its folder

from __future__ import annotations

import hashlib
import hmac
from typing import Any


def mac(secret: str, request: str) -> str:
    """Return the HMAC-SHA256 of a request, as `openssl dgst -sha256 -hmac SECRET` makes it."""
    return hmac.new(secret.encode(), request.encode(), hashlib.sha256).hexdigest()


def unsigned(enrolments: dict[str, Any], records: dict[str, Any]) -> dict[str, Any]:
    """Return the enrolments with a request that we opened and have not signed yet."""
    return {
        device: said
        for device, said in enrolments.items()
        if said["request"] and device in records and records[device].get("signed") != said["request"]
    }


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters."""
        return {"promote_mac": mac, "promote_unsigned": unsigned}
