"""Orders as a control host signs them."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
BLOB = {"sha256": "0" * 64, "size": 3}


def order(**changes: Any) -> str:
    """Return the text of an order."""
    return json.dumps(
        {
            "version": 1,
            "device": "jetson-01",
            "serial": 7,
            "edition": "0a1b2c3d4e5f",
            "ring": 0,
            "soak_s": 60,
            "made": "2026-11-28T21:00:00Z",
            "playbooks": BLOB,
            "variables": {"images_refs": {"broker": "facefleet/broker:1"}},
            "images": {
                "facefleet/broker:1": {
                    "id": "sha256:aa",
                    "config": BLOB,
                    "layers": [{"diff_id": "sha256:l1", "sha256": "1" * 64, "size": 5}],
                }
            },
            "puller": {"ref": "facefleet/puller:1", "archive": BLOB},
        }
        | changes
    )


def signed(text: str, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    """Return its signature."""
    return base64.b64encode(key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))).decode()
