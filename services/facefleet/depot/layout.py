"""The keys of the bucket, all below `releases/`, and what is a name there. Pure.

An inbox for `take` has the same layout without that first word.
"""

import re
from typing import NamedTuple

ROOT = "releases/"
BLOBS = f"{ROOT}blobs/"
ORDERS = f"{ROOT}orders/"
REPORTS = f"{ROOT}reports/"
REQUESTS = f"{ROOT}requests/"
CERTIFICATES = f"{ROOT}certificates/"
ENROLMENT = f"{ROOT}enrolment/"
TRUST = f"{ROOT}trust.pem"
NEWS = f"{ROOT}news"
"""Another content whenever orders came or went: who looks at this need not list them all."""

SERIAL_DIGITS = 10

_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ORDER = re.compile(r"(?P<device>[a-z0-9][a-z0-9-]{0,62})/(?P<serial>[0-9]{10})\.(?P<kind>json|sig)")
_OF_DEVICE = re.compile(r"(?P<device>[a-z0-9][a-z0-9-]{0,62})\.(?:json|pem)")


class OrderPlace(NamedTuple):
    """Whose order, and its number."""

    device: str
    serial: int

    @property
    def text(self) -> str:
        """Return the key of its text."""
        return f"{ORDERS}{self.device}/{self.serial:0{SERIAL_DIGITS}d}.json"

    @property
    def signature(self) -> str:
        """Return the key of its signature, base64."""
        return self.text.removesuffix("json") + "sig"


def is_device(name: str) -> bool:
    """Say whether it can be a device's name."""
    return _DEVICE.fullmatch(name) is not None


def is_digest(text: str) -> bool:
    """Say whether it is a SHA-256 as we write it."""
    return _DIGEST.fullmatch(text) is not None


def blob(digest: str) -> str:
    """Return the key of a blob."""
    return BLOBS + digest


def report(device: str) -> str:
    """Return the key of what a device last said."""
    return f"{REPORTS}{device}.json"


def request(device: str) -> str:
    """Return the key of what a device wants signed."""
    return f"{REQUESTS}{device}.json"


def certificate(device: str) -> str:
    """Return the key of a device's newest certificate."""
    return f"{CERTIFICATES}{device}.pem"


def enrolment(device: str) -> str:
    """Return the key of a device's enrolment."""
    return f"{ENROLMENT}{device}.json"


def order_at(key: str) -> tuple[OrderPlace, str] | None:
    """Read the key of an order: its place, and `json` for the text or `sig` for the signature."""
    found = _ORDER.fullmatch(key.removeprefix(ORDERS)) if key.startswith(ORDERS) else None
    return (OrderPlace(found["device"], int(found["serial"])), found["kind"]) if found else None


def device_at(key: str, folder: str) -> str | None:
    """Read the key of a file that each device has one of."""
    found = _OF_DEVICE.fullmatch(key.removeprefix(folder)) if key.startswith(folder) else None
    return found["device"] if found else None
