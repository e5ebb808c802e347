"""Runs rows, one after another, on one site; says of each what came through."""

import os
import random
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from docker import DockerClient

from tests.chaos import leftovers
from tests.chaos.edge import Images
from tests.chaos.journal import Journal, seconds_since
from tests.chaos.ledger import Claims, Verdict, balance, misgiven
from tests.chaos.metrics import imbalance
from tests.chaos.rows import Row
from tests.chaos.scene import GIVEN_UP, NotStruckError, Scene
from tests.chaos.site import Site
from tests.chaos.workshop import Workshop
from tests.images import newest_image

NAMES = ("broker", "forwarder", "processor", "s3")
WARM_WITHIN_S = 60
CALM_S = 1.0
STUCK_AFTER_S = 50
"""Longer than a dead link takes to be noticed."""
DRAIN_WITHIN_S = 60


@dataclass
class Outcome:
    """What one row of the table says; a row that could not be run has only a reason."""

    name: str
    cycles: int = 0
    skipped: str = ""
    verdict: Verdict | None = None
    sent_twice: int = 0
    recovered_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Why the row fails, beyond what the ledger says."""
    steps: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return bool(self.skipped) or (self.verdict is not None and self.verdict.good and not self.faults)

    @property
    def reasons(self) -> list[str]:
        return [*(self.verdict.faults if self.verdict else ["no verdict"]), *self.faults]

    @property
    def median_s(self) -> float | None:
        return round(statistics.median(self.recovered_s), 1) if self.recovered_s else None

    @property
    def worst_s(self) -> float | None:
        return max(self.recovered_s, default=None)

    def report(self) -> dict[str, Any]:
        """Return all of it for the JSON."""
        verdict = self.verdict
        return {
            "name": self.name,
            "result": "SKIPPED" if self.skipped else "ok" if self.good else "FAIL",
            "skipped": self.skipped,
            "reasons": [] if self.skipped or self.good else self.reasons,
            "cycles": self.cycles,
            "captured": verdict and verdict.captured,
            "stored": verdict and verdict.stored,
            "given_up": verdict and verdict.given_up,
            "duplicates": verdict and verdict.duplicates,
            "lost": verdict and verdict.lost,
            "sent_twice": self.sent_twice,
            "recovered_s": self.recovered_s,
            "recovered_median_s": self.median_s,
            "recovered_worst_s": self.worst_s,
            "seconds": self.seconds,
            "steps": self.steps,
        }


class Campaign:
    """A site of its own, from its making to the last trace of it."""

    def __init__(
        self,
        engine: DockerClient,
        images: Images,
        *,
        old_images: Images | None = None,
        source: Path | None = None,
        journal: Journal | None = None,
        seed: int | None = None,
    ) -> None:
        self.journal = journal or Journal()
        self.seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        self._dice = random.Random(self.seed)
        self._engine = engine
        self._images = images
        self._old_images = old_images
        self._source = source
        self._owner = leftovers.myself()
        self._site: Site | None = None
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> Self:
        if swept := leftovers.sweep(self._engine):
            self.journal.say(f"swept what an earlier campaign left: {', '.join(swept)}")
        self._guard = leftovers.Guard(self._owner)
        try:
            self._site = Site(
                Workshop(self._engine, self._owner, self._source), self._images, self._old_images
            )
            self._site.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take away everything that was made."""
        try:
            if self._site:
                self._site.close()
        finally:
            self._guard.release()

    def run(self, row: Row, cycles: int) -> Outcome:
        """Strike so many times, wait for recovery each time, and balance the books at the end."""
        outcome = Outcome(row.name)
        outcome.skipped = row.obstacle()
        if outcome.skipped:
            self.journal.note(row.name, f"SKIPPED: {outcome.skipped}")
            return outcome
        begun = time.monotonic()
        scene = self._begin(row)
        try:
            self._strikes(scene, row, cycles, outcome)
            self._settle(scene, row, outcome)
        finally:
            scene.edge.end_load()
            if not outcome.good:
                self._site_now.forget_edge()
            outcome.seconds = seconds_since(begun)
            outcome.steps = self.journal.taken()
        return outcome

    @property
    def _site_now(self) -> Site:
        assert self._site, "the campaign is not open"
        return self._site

    def _begin(self, row: Row) -> Scene:
        site = self._site_now
        edge = site.arrange(row.plan)
        self._numbers[row.slug] = number = self._numbers.get(row.slug, 0) + 1
        site.meter.look()
        site.meter.taken()
        before = int(site.meter.last("forwarder", GIVEN_UP))
        load = edge.begin_load(f"{row.slug}-{number}", row.least_bytes, row.most_bytes)
        dice = random.Random(self._dice.random())
        return Scene(row.name, site, edge, load, self.journal, dice, row.rate, before)

    def _strikes(self, scene: Scene, row: Row, cycles: int, outcome: Outcome) -> None:
        scene.load.rate(row.rate)
        if scene.wait(lambda: bool(scene.site.stored.ids(scene.load.camera)), WARM_WITHIN_S) is None:
            outcome.faults.append(f"nothing came through before the first fault\n{diagnosis(scene)}")
            return
        for cycle in range(cycles):
            scene.load.rate(row.rate)
            time.sleep(CALM_S)
            try:
                row.strike(scene, cycle)
            except NotStruckError as error:
                outcome.faults.append(f"the fault did not strike: {error}")
            outcome.cycles += 1
            seconds = scene.await_stored(STUCK_AFTER_S)
            if seconds is None:
                outcome.faults.append(f"nothing comes through for {STUCK_AFTER_S} s\n{diagnosis(scene)}")
                return
            outcome.recovered_s.append(seconds)
            self.journal.say(
                f"  {row.name}: cycle {cycle + 1} of {cycles}, captured {len(scene.captured())}, "
                f"recovered after {seconds:.1f} s"
            )

    def _settle(self, scene: Scene, row: Row, outcome: Outcome) -> None:
        """Let everything run dry, then compare."""
        scene.load.rate(0)
        quiet = time.time() + 0.5

        def dry() -> bool:
            needed = [event.id for event in scene.captured()]
            said = scene.load.accounts(newer_than=quiet)
            outbox = bool(said) and not said["held"] and not said["refused"]
            return outbox and not scene.held_by_forwarder() and scene.missing(needed) == 0

        stuck = bool(outcome.faults)
        if scene.wait(dry, 5 if stuck else DRAIN_WITHIN_S) is None and not stuck:
            outcome.faults.append(f"not drained within {DRAIN_WITHIN_S} s\n{diagnosis(scene)}")
        captured = scene.captured()
        stored = scene.site.stored
        objects = stored.versions(scene.load.camera)
        said = scene.load.accounts()
        outcome.verdict = balance(
            Claims(
                captured=[event.id for event in captured],
                objects=objects,
                given_up=scene.given_up(),
                held=scene.held_by_forwarder() + scene.held_by_load(),
                dead=stored.dead(scene.load.camera),
                taken=said.get("taken") if row.plan.edge.disk != "cuttable" else None,
            )
        )
        if wrong := misgiven(row.plan.edge.when_full, captured, objects, scene.newest):
            outcome.faults.append(wrong)
        outcome.faults.extend(scene.died)
        if said and (wrong := imbalance(said)):
            outcome.faults.append(f"the outbox: {wrong}")
        outcome.sent_twice, imbalances = scene.site.meter.taken()
        if imbalances:
            outcome.faults.append(
                f"the forwarder's accounts were off {len(imbalances)} times: {imbalances[0]}"
            )


def diagnosis(scene: Scene) -> str:
    """Return what each part last said, for whoever has to find out."""
    said = [f"detector's accounts: {scene.load.accounts()}"]
    for name, part in scene.site.parts().items():
        said.append(f"--- {name} ({'runs' if part.running else 'does not run'})\n{part.log(15)}")
    return "\n".join(said)


def newest_images(engine: DockerClient, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the project's images by name: as given, or the newest of this machine.

    Raises:
        NoImageError: when there is none.
    """
    found = dict(given or {})
    return found | {name: newest_image(engine, name) for name in NAMES if name not in found}


def source_told() -> Path | None:
    """Return the package folder that stands in for the images' code, as FACEFLEET_CHAOS_SOURCE says."""
    told = os.environ.get("FACEFLEET_CHAOS_SOURCE")
    return Path(told).resolve() if told else None
