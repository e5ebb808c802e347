"""Whether the clock is known to be right. A Jetson boots without one, and begins in 1970 or where it stopped.

Source: adjtimex(2): TIME_ERROR (5) means that nothing has set the clock right.
"""

import ctypes
import time

_TIME_ERROR = 5
_TIMEX_BYTES = 512
"""More than the kernel's struct timex of any architecture."""
RELEASED = 1_795_392_000
"""2026-11-23: a clock before that is wrong, whatever the kernel says."""


def known_right() -> bool:
    """Return whether something (NTP, as a rule) has set the clock, and it is no time before this release."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    return 0 <= state != _TIME_ERROR and time.time() >= RELEASED
