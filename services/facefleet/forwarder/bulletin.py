"""The device's retained status on one broker."""

import threading
import time

from facefleet.messaging.link import Link, Outcome

EVERY_S = 30.0


class Bulletin:
    """Says the status every now and then, and when there is news. On the link's loop."""

    def __init__(self, link: Link, topic: str) -> None:
        """Nothing is said yet."""
        self._link = link
        self._topic = topic
        self._said: object = None
        self._said_at = 0.0

    def due(self, news: object) -> bool:
        """Return whether `news` are others than last time, or that was long ago."""
        return news != self._said or time.monotonic() - self._said_at >= EVERY_S

    def tell(self, payload: bytes, news: object) -> None:
        """Say it, and remember which news it told."""
        self._said, self._said_at = news, time.monotonic()
        self.say(payload)

    def say(self, payload: bytes, told: threading.Event | None = None) -> None:
        """Say it now; `told` is set once the broker has it, or will not have it. Any thread."""

        def done(outcome: Outcome) -> None:
            if outcome is Outcome.UNSENT:
                self._said = None  # it is news at the next look
            if told:
                told.set()

        self._link.publish(self._topic, payload, qos=1, retain=True, done=done)
