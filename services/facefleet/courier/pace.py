"""A cap on bytes a second. Pure: the caller brings the clock."""

BURST_S = 0.25


class Pace:
    """A bucket that fills at the rate. What is taken may exceed it, and is then waited for."""

    def __init__(self, bytes_s: int) -> None:
        """Allow so many bytes a second; 0 is without a cap."""
        self._rate = bytes_s
        self._level = bytes_s * BURST_S
        self._at: float | None = None

    def wait_s(self, now: float) -> float:
        """Return how long to wait before anything may be sent; `now` in seconds."""
        if not self._rate:
            return 0.0
        if self._at is not None:
            self._level = min(self._level + (now - self._at) * self._rate, self._rate * BURST_S)
        self._at = now
        return max(0.0, -self._level / self._rate)

    def take(self, size: int) -> None:
        """Note that so many bytes are sent."""
        self._level -= size
