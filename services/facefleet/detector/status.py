"""What a camera's retained status says, and when it is said."""

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

EVERY_S = 5.0
ON_CHANGE_S = 1.0
"""Counts that changed are said at most this often."""
OFFLINE = json.dumps({"state": "offline"}).encode()
"""The last will."""

Say = Callable[[bytes, Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Status:
    """A camera's status: `camera` is "ok", "paused", "starting" or what is wrong with it.

    captured = handed_on + given_up + held, of all time. `clock` is "right" or "unsynchronized"; `last_face`
    is the time of the newest picture that was captured since the start.
    """

    state: str
    camera: str
    captured: int
    handed_on: int
    given_up: int
    held: int
    frames: int
    clock: str = "right"
    fps: float = 0.0
    last_face: str | None = None

    def encoded(self) -> bytes:
        """Return the payload, JSON."""
        return json.dumps(dataclasses.asdict(self)).encode()


class Reporter:
    """Says the status every few seconds and when it changes. One at a time, so that none queue up offline."""

    def __init__(
        self, current: Callable[[], Status], say: Say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`say` publishes a payload, and calls back once the broker has it."""
        self._current = current
        self._say = say
        self._clock = clock
        self._said: Status | None = None
        self._said_at = -EVERY_S
        self._underway = False
        self._fps = 0.0
        self._measured_at = clock()
        self._measured_frames = 0

    def report_due(self) -> None:
        """Say the status if it is time to."""
        now = self._clock()
        self._measure(now)
        status = self._current()
        if not self._underway and self._due(status, now):
            self._said, self._said_at = status, now
            self._underway = True
            self._say(dataclasses.replace(status, fps=self._fps).encoded(), self._done)

    def _due(self, status: Status, now: float) -> bool:
        if self._said is None or now - self._said_at >= EVERY_S or status.camera != self._said.camera:
            return True
        same = dataclasses.replace(status, frames=self._said.frames) == self._said
        return not same and now - self._said_at >= ON_CHANGE_S

    def _measure(self, now: float) -> None:
        elapsed = now - self._measured_at
        if elapsed >= EVERY_S:
            frames = self._current().frames
            self._fps = round((frames - self._measured_frames) / elapsed, 1)
            self._measured_at, self._measured_frames = now, frames

    def _done(self) -> None:
        self._underway = False
