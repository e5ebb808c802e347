"""What has been in the bucket for too long, and which folders must be walked to find it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from facefleet.forget.selection import FACES, Reach, days_of, midnight

SLACK = timedelta(days=1)
"""A camera's clock may be ahead by so much until its folder of tomorrow is looked at."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Of one area, what the bucket took before a moment: as a lifecycle on AWS counts.

    So no camera's wrong clock matters. A face is in the bucket after its time, so the folders of the days
    since then need no look. Those of the future do: some camera's clock was wrong.
    """

    area: str
    before: datetime
    now: datetime

    @property
    def roots(self) -> list[str]:
        """Return the folder in which all of it lies."""
        return [f"{self.area}/"]

    def reach(self, folder: str) -> Reach:
        """Return how much of a folder, which ends in a slash, may be meant."""
        area, *names = folder.removesuffix("/").split("/")
        if area != self.area:
            return Reach.NONE
        days = days_of(names[2:]) if area == FACES else None
        if days and midnight(days[0]) >= self.before and midnight(days[1]) <= self.now + SLACK:
            return Reach.NONE
        return Reach.SOME

    def means(self, key: str, modified: datetime) -> bool:
        """Say whether an object is meant; `modified` is when the bucket took it."""
        return key.startswith(self.area + "/") and modified < self.before
