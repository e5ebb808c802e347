"""Waiting for what is to happen, instead of sleeping."""

import contextlib
import itertools
import os
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.05
FIRST_PORT = 22_000
PORTS_EACH = 2_500
"""For four processes: all below 32,768."""
_turns = itertools.count(random.randrange(PORTS_EACH))  # another run may be on the same machine


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
    """Return a TCP port of the loopback that nobody uses now, and that nobody else will take.

    Each process of a run has ports of its own, below those that the kernel gives to outgoing connections:
    what is stopped and started again finds its port free.
    """
    first = FIRST_PORT + PORTS_EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in _turns:
        port = first + number % PORTS_EACH
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the turns have no end")
