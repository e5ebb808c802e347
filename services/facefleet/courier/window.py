"""How many messages may be on their way at once, as the way itself shows. Pure.

It begins small, grows by one with each receipt (so it doubles with each round trip), and is halved when
receipts do not come in time: a taker that cannot store is not buried by a whole fleet.
"""

FIRST = 16


class Window:
    """A number between 1 and what both sides allow."""

    def __init__(self, most: int) -> None:
        """Begin small; `most` is the operator's bound."""
        self._operators_most = most
        self._most = most
        self.size = min(FIRST, most)

    def begin(self, receive_maximum: int) -> None:
        """Begin anew on a connection whose broker takes so many at once."""
        self._most = min(self._operators_most, receive_maximum)
        self.size = min(FIRST, self._most)

    def grow(self, count: int = 1) -> None:
        """Take receipts for a sign that more would pass."""
        self.size = min(self.size + count, self._most)

    def shrink(self) -> None:
        """Take a receipt that did not come for a sign that less would pass."""
        self.size = max(self.size // 2, 1)

    def close(self) -> None:
        """Let one through, to see."""
        self.size = 1
