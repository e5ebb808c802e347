"""Which pictures of a face are sent: one soon, clearly better ones later, the last at the end. Pure."""

from typing import Generic, NamedTuple, TypeVar

P = TypeVar("P")


class Rules(NamedTuple):
    """What an operator may set; seconds, and qualities of 0 to 1."""

    first_s: float
    """So long after a face was first seen, the best of it until then is sent."""
    better_by: float
    """A later one must be better than all sent so far by this part."""
    better_after_s: float
    """... and come so long after the one before."""
    most: int
    """... and there are at most so many, those of who stays and the last at the end not counted."""
    repeat_s: float
    """Who stays is sent again so long after the one before, however good; 0 for never."""
    least_quality: float
    """Nothing worse is sent at all."""


class Candidate(NamedTuple, Generic[P]):
    """What could be sent, and its quality."""

    picture: P
    quality: float


class Shot(NamedTuple, Generic[P]):
    """What is sent: `number` counts a face's shots from 1; `reason` says why, for the operator."""

    picture: P
    quality: float
    number: int
    last: bool
    reason: str


class Choice(Generic[P]):
    """The shots of one face."""

    def __init__(self, rules: Rules, began: float) -> None:
        """`began` is when the face was first seen."""
        self._rules = rules
        self._began = began
        self._best: Candidate[P] | None = None
        self._waiting: Candidate[P] | None = None
        """The best since the last that was sent."""
        self._sent = 0
        self._better = 0
        """Of these, those that were first or better."""
        self._sent_at = began
        self.silence = "not yet seen"
        """Why nothing was sent, when nothing was."""

    def wants(self, quality: float) -> bool:
        """Return whether a picture of this quality may be sent some time, so that it must be kept."""
        return quality >= self._rules.least_quality and (
            self._waiting is None or quality > self._waiting.quality
        )

    def consider(self, candidate: Candidate[P]) -> None:
        """Keep one that is wanted."""
        self._waiting = candidate

    def due(self, now: float) -> Shot[P] | None:
        """Return the shot to send now, if one is; else `silence` says why not."""
        waiting, rules = self._waiting, self._rules
        if waiting is None:
            self.silence = (
                f"nothing {'since the last ' if self._sent else ''}of quality {rules.least_quality:.2f}"
            )
        elif not self._sent:
            if now - self._began >= rules.first_s:
                self._better += 1
                return self._send(waiting, now, f"first, {now - self._began:.1f} s after the face came")
            self.silence = f"too soon: the best of the first {rules.first_s:.1f} s is sent"
        elif rules.repeat_s and now - self._sent_at >= rules.repeat_s:
            return self._send(waiting, now, f"still there after {now - self._sent_at:.0f} s")
        elif self._better >= rules.most:
            self.silence = f"{rules.most} were sent"
        elif waiting.quality < self._wanted:
            self.silence = (
                f"quality {waiting.quality:.2f} is below {self._wanted:.2f}, the best sent and a margin"
            )
        elif now - self._sent_at < rules.better_after_s:
            self.silence = f"better, but the one before is younger than {rules.better_after_s:.1f} s"
        else:
            self._better += 1
            return self._send(waiting, now, f"better: {waiting.quality:.2f} after {self._best_quality:.2f}")
        return None

    def end(self, now: float) -> Shot[P] | None:
        """Return the last shot: the best since the one before, or else the best of all again."""
        last = self._waiting or self._best
        if last is None:
            self.silence = f"left without a picture of quality {self._rules.least_quality:.2f}"
            return None
        return self._send(last, now, "last: the face is gone", last=True)

    @property
    def _best_quality(self) -> float:
        return self._best.quality if self._best else 0.0

    @property
    def _wanted(self) -> float:
        return self._best_quality * (1 + self._rules.better_by)

    def _send(self, candidate: Candidate[P], now: float, reason: str, *, last: bool = False) -> Shot[P]:
        if candidate.quality > self._best_quality:
            self._best = candidate
        self._waiting = None
        self._sent += 1
        self._sent_at = now
        return Shot(candidate.picture, candidate.quality, self._sent, last, reason)
