"""When to search a picture for faces. By time, so that it is the same at any frame rate. Pure."""

STILL_S = 1.0
"""Who stands still is looked at again so often."""
IDLE_S = 5.0
"""A picture in which nothing moves and nobody is, is searched so often: the gate may be wrong."""


class Cadence:
    """Decides, at each frame that is looked at, whether it is worth a search."""

    def __init__(self) -> None:
        self._searched_at: float | None = None

    def due(self, now: float, *, moved: bool, present: bool, missing: bool) -> str:
        """Return why to search now, or nothing.

        `present`: somebody is being followed; `missing`: the last search did not find all of them.
        """
        if self._searched_at is None:
            return "first"
        if moved:
            return "motion"
        if missing:
            return "missing"
        since = now - self._searched_at
        if present and since >= STILL_S:
            return "still there"
        return "long ago" if since >= IDLE_S else ""

    def searched(self, now: float) -> None:
        """Count from now on."""
        self._searched_at = now
