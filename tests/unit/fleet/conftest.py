"""A moment, and a device in good health as it says of itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

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
WELL = {
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
    "host": {
        "disk_free": 20 << 30,
        "disk_total": 60 << 30,
        "memory_free": 3 << 30,
        "memory_total": 8 << 30,
        "temperature": 51.5,
    },
    "cameras": {"lobby": CAMERA},
}

Say = Callable[..., str]


@pytest.fixture
def say() -> Say:
    """Build a status message; the keyword arguments change it, `host` and `lobby` those parts of it."""

    def build(*, host: dict[str, Any] | None = None, lobby: dict[str, Any] | None = None, **more: Any) -> str:
        said = WELL | more
        said["host"] = WELL["host"] | (host or {})  # type: ignore[operator]
        if "cameras" not in more:
            said["cameras"] = {"lobby": CAMERA | (lobby or {})}
        return json.dumps(said)

    return build
