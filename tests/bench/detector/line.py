"""One clip, measured in each way."""

from typing import NamedTuple

from facefleet.messaging.event import Box

from tests.bench.detector.clips import Clip
from tests.bench.detector.measured import Cost
from tests.bench.detector.visits import Seen, Verdict, judge


class Line(NamedTuple):
    """One clip, measured."""

    clip: Clip
    decoding: Cost
    naive: Cost
    ours: Cost

    @property
    def figures(self) -> dict[str, float]:
        return {
            "cpu ratio": self.naive.cpu_ms / self.ours.cpu_ms,
            "per decoding": self.ours.cpu_ms / self.decoding.cpu_ms,
            "message ratio": self.naive.messages / max(1, self.ours.messages),
            "byte ratio": self.naive.bytes / max(1, self.ours.bytes),
        }

    @property
    def verdict(self) -> Verdict | None:
        if self.clip.truth is None:
            return None
        return judge(self.clip.truth, (Seen(at, track, Box(*box)) for at, track, box in self.ours.shots))
