"""How long to wait before the next try."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Doubling waits with jitter: between half and the whole of min(first * 2**n, most) seconds."""

    first_s: float = 0.5
    most_s: float = 30.0
    tries: int = 0

    def next_s(self) -> float:
        """Return the next wait in seconds."""
        ceiling = min(self.first_s * 2.0 ** min(self.tries, 32), self.most_s)
        self.tries += 1
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Start over, after a success."""
        self.tries = 0
