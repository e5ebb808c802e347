"""Whether the clock is known to be right. A Jetson boots without one, and begins in 1970 or where it stopped.

Source: adjtimex(2): TIME_ERROR (5) means that nothing has set the clock right.
"""

import ctypes
import time
from typing import Literal

Trust = Literal["kernel", "trusted"]
"""Whose word counts: the kernel's (set by NTP), or the operator's, who knows that the clock is right."""

_TIME_ERROR = 5
_TIMEX_BYTES = 512
"""More than the kernel's struct timex of any architecture."""
RELEASED = 1_795_392_000
"""2026-11-23: a clock before that is wrong, whatever the kernel says."""


def known_right(trust: Trust = "kernel") -> bool:
    """Return whether something (NTP, as a rule) has set the clock, and it is no time before this release."""
    if trust == "trusted":
        return True
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    return 0 <= state != _TIME_ERROR and time.time() >= RELEASED


def standing(trust: Trust) -> str:
    """Return the word for it in a status message."""
    return "right" if known_right(trust) else "unsynchronized"
