"""What a device says of itself: one in good health, or with the faults that a test wants."""

import json
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
CAMERA = {
    "state": "online",
    "camera": "ok",
    "captured": 9001,
    "handed_on": 9000,
    "given_up": 0,
    "held": 1,
    "frames": 100,
    "clock": "right",
    "fps": 14.9,
    "last_face": "2026-11-25T16:58:00Z",
}
WELL: dict[str, Any] = {
    "state": "online",
    "said": "2026-11-25T16:59:50Z",
    "started": "2026-11-20T00:00:00Z",
    "release": "77e0c2b19a45",
    "cloud": "connected",
    "cloud_since": "2026-11-25T05:00:00Z",
    "last_receipt": "2026-11-25T16:59:40Z",
    "taken": 12003,
    "stored": 12000,
    "dead": 0,
    "given_up": 0,
    "held": 3,
    "oldest_s": 2,
    "spool_bytes": 700_000,
    "spool_max_bytes": 1 << 30,
    "clock": "right",
    "certificate_ends": "2027-12-01T00:00:00Z",
    "certificate": "0a1b2c3d4e5f",
    "trusts": ["f0e1d2c3b4a5"],
    "host": {
        "disk_free": 20 << 30,
        "disk_total": 60 << 30,
        "memory_free": 3 << 30,
        "memory_total": 8 << 30,
        "temperature": 51.5,
    },
    "cameras": {"lobby": CAMERA},
}


def say(*, host: dict[str, Any] | None = None, lobby: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return a status message; `host` and `lobby` change these parts of it, the rest the whole."""
    said: dict[str, Any] = WELL | changes
    said["host"] = WELL["host"] | (host or {})
    if "cameras" not in changes:
        said["cameras"] = {"lobby": CAMERA | (lobby or {})}
    return json.dumps(said)
