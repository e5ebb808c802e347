"""One device's desired state: signed on the control host, checked here before anything of it counts."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


class OrderError(Exception):
    """An order that does not count; the text says why and what helps."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Some bytes, by their hash."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image: the digest of its tar, and the blob that is the gzip of it."""

    diff_id: str
    blob: Blob


@dataclass(frozen=True, slots=True)
class Image:
    """An image, the lowest layer first."""

    ref: str
    id: str
    config: Blob
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What a device shall be."""

    device: str
    serial: int
    edition: str
    playbooks: Blob
    variables: Mapping[str, Any]
    images: tuple[Image, ...]
    trust: str
    """The authorities (PEM) that the device shall trust; nothing leaves them as they are."""
    text: str
    """Exactly as it was signed."""


def verify(text: str, signature: str, signer: bytes) -> None:
    """Check who signed a text.

    Raises:
        OrderError: it was not the fleet's signer, or its key cannot be read.
    """
    try:
        key = load_pem_public_key(signer)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise OrderError(
                "signer.pub is no EC key: run playbooks/edge.yml for this device, or enrol it anew"
            )
        key.verify(base64.b64decode(signature, validate=True), text.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise OrderError(
            "the order is not signed by this fleet's signer: promote again; "
            "if it stays so, look who holds the cloud host"
        ) from error


def read(text: str, device: str) -> Order:
    """Read an order whose signature was checked.

    Raises:
        OrderError: it is another device's, of another version, or not complete.
    """
    try:
        said = json.loads(text)
        if said["version"] != VERSION:
            raise OrderError(
                f"the order has version {said['version']}, and this puller reads version {VERSION}: "
                "enrol the device anew with the puller of that release"
            )
        if said["device"] != device:
            raise OrderError(
                f"the order is for {said['device']}, and this is {device}: look who holds the cloud host"
            )
        return Order(
            device=device,
            serial=int(said["serial"]),
            edition=str(said["edition"]),
            playbooks=_blob(said["playbooks"]),
            variables=dict(said["variables"]),
            images=tuple(_image(ref, image) for ref, image in sorted(said["images"].items())),
            trust=str(said.get("trust", "")),
            text=text,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OrderError(
            f"the order cannot be read ({type(error).__name__}: {error}): promote again"
        ) from error


def _image(ref: str, said: Mapping[str, Any]) -> Image:
    layers = tuple(Layer(str(layer["diff_id"]), _blob(layer)) for layer in said["layers"])
    return Image(ref, str(said["id"]), _blob(said["config"]), layers)


def _blob(said: Mapping[str, Any]) -> Blob:
    sha256, size = str(said["sha256"]), int(said["size"])
    if not _SHA256.fullmatch(sha256) or size < 0:
        raise ValueError(f"{sha256!r} of {size} bytes is no blob")
    return Blob(sha256, size)
