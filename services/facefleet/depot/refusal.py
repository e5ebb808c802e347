"""What is not done for who asks, and why."""


class RefusedError(Exception):
    """A request that is not served; the text is for who asked."""

    def __init__(self, status: int, sentence: str, *, again_s: int | None = None) -> None:
        """`again_s` says after how many seconds it may go better."""
        super().__init__(sentence)
        self.status = status
        self.again_s = again_s
