"""What an operator may say of how a courier works."""

from dataclasses import dataclass
from typing import Literal

Priority = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what is on its way, and of how long one waits."""

    window: int = 500
    """Messages without a receipt at once; the broker's Receive Maximum is the other bound."""
    window_bytes: int = 16 * 1024 * 1024
    priority: Priority = "newest"
    """Which end of the backlog goes first; every fourth message is of the other, so that neither starves."""
    bandwidth_bytes_s: int = 0
    """0 is without a cap."""
    receipt_timeout_s: float = 10.0
    """From the broker's answer to the receipt; doubled with each try."""
    retry_most_s: float = 60.0
    keep_s: float = 0.0
    """What waits longer is given up; 0 keeps it for ever."""
