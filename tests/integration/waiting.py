"""Waiting for what is to happen, instead of sleeping."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.05


def await_until(condition: Callable[[], T], timeout: float, what: str = "") -> T:
    """Return the condition's value as soon as it is true; fail when it is not in so many seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or condition}; last seen: {value!r}")
        time.sleep(LOOK_EVERY_S)


def free_port() -> int:
    """Return a TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
