"""One row's stage: the site as the row needs it, the load on it, and what a fault can do to them."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.edge import Edge, Load
from tests.chaos.journal import Journal, seconds_since
from tests.chaos.ledger import Captured
from tests.chaos.site import Site
from tests.chaos.workshop import Part

LOOK_EVERY_S = 0.25
GIVEN_UP = "facefleet_events_given_up_total"
HELD = "facefleet_events_held"


class NotStruckError(Exception):
    """The fault did not do what it is for; the row would prove nothing."""


@dataclass
class Scene:
    """What a fault is given."""

    name: str
    site: Site
    edge: Edge
    load: Load
    journal: Journal
    dice: random.Random
    rate: float
    given_up_before: int = 0
    died: list[str] = field(default_factory=list)
    """Parts that ended by themselves; like a restart policy, `revive` starts them again."""
    newest: set[str] = field(default_factory=set)
    """Ids that `drop_oldest` may not give up: captured last before a full disk had room again."""

    def note(self, what: str) -> None:
        self.journal.note(self.name, what)

    def part(self, name: str) -> Part:
        return self.site.parts()[name]

    def kill(self, name: str, down_s: float) -> None:
        """End a part with -9 and start it again after so many seconds."""
        self.part(name).kill()
        self.note(f"kill -9 {name}")
        time.sleep(down_s)
        self.part(name).start()
        self.note(f"start {name}")

    def revive(self) -> None:
        """Start what ended by itself, and remember it."""
        for name, part in self.site.parts().items():
            if not part.running:
                self.died.append(f"{name} ended by itself: {part.log(8)}")
                self.note(f"{name} ended by itself")
                part.start()

    def captured(self) -> list[Captured]:
        return self.load.captured()

    def given_up(self) -> int:
        """Return how many the device gave up in this row, by its own counters."""
        forwarder = int(self.site.meter.last("forwarder", GIVEN_UP)) - self.given_up_before
        return forwarder + int(self.load.accounts().get("given_up", 0))

    def held_by_forwarder(self) -> int:
        self.site.meter.look()
        return int(self.site.meter.last("forwarder", HELD))

    def held_by_load(self) -> int:
        """Return how many events the outbox holds, and how many had no room in it."""
        said = self.load.accounts()
        return int(said.get("held", 0)) + int(said.get("refused", 0))

    def missing(self, needed: list[str]) -> int | None:
        """Return how many are neither in S3 nor given up; None when S3 does not answer."""
        stored = self.site.stored.ids(self.load.camera)
        if stored is None:
            return None
        return max(0, sum(identity not in stored for identity in needed) - self.given_up())

    def wait(self, condition: Callable[[], bool], within_s: float) -> float | None:
        """Return the seconds until a condition holds; None when it does not in time."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > within_s:
                return None
            self.revive()
            time.sleep(LOOK_EVERY_S)
        return seconds_since(begun)

    def await_stored(self, stuck_s: float) -> float | None:
        """Wait until all that was captured by now is in S3 or given up; None when that stands still."""
        needed = [event.id for event in self.captured()]
        begun = progressed = time.monotonic()
        least = len(needed) + 1
        while True:
            missing = self.missing(needed)
            now = time.monotonic()
            if missing == 0:
                return seconds_since(begun)
            if missing is not None and missing < least:
                least, progressed = missing, now
            if now - progressed > stuck_s:
                return None
            self.revive()
            time.sleep(LOOK_EVERY_S)
