"""Compares what was captured with what is in S3. Pure: it knows no container and no clock."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Captured:
    """One line of the load's log: the append of this event returned."""

    id: str
    sequence: int
    score: float


def read_log(text: str) -> list[Captured]:
    """Read captured.log; a line that has no end was not written to its end."""
    whole, _, _torn = text.rpartition("\n")
    found = []
    for line in whole.splitlines():
        identity, sequence, score, _fate = line.split()
        found.append(Captured(identity, int(sequence), float(score)))
    return found


@dataclass(frozen=True)
class Claims:
    """What each side says at the end of a row."""

    captured: Sequence[str]
    """Ids in the order of their capture."""
    objects: Mapping[str, int]
    """Id to how often it is in S3: keys and versions of them."""
    given_up: int = 0
    held: int = 0
    dead: int = 0
    taken: int | None = None
    """What the outbox says that it took; None where a power cut took it back in time."""


@dataclass(frozen=True)
class Verdict:
    """The balance of one row."""

    captured: int
    stored: int
    given_up: int
    held: int
    duplicates: int
    """Objects beyond the first of an event."""
    lost: int
    faults: tuple[str, ...] = field(default=())
    """Each a reason to fail; `lost` and `duplicates` among them."""

    @property
    def good(self) -> bool:
        return not self.faults


def balance(claims: Claims) -> Verdict:
    """Compare: every captured event is once in S3, given up and counted, or still held.

    An event in S3 that no line tells of was captured, too: its load was killed between append and line.
    """
    logged = set(claims.captured)
    stored = set(claims.objects)
    captured = len(logged | stored)
    missing = len(logged - stored)
    duplicates = sum(copies - 1 for copies in claims.objects.values())
    known = claims.given_up + claims.held
    lost = max(0, missing - known)
    faults = []
    if lost:
        faults.append(f"{lost} lost")
    if duplicates:
        faults.append(f"{duplicates} duplicates")
    if known > missing:
        faults.append(f"{known} said to be given up or held, but only {missing} are not in S3")
    if repeated := len(claims.captured) - len(logged):
        faults.append(f"{repeated} captured twice")
    if claims.dead:
        faults.append(f"{claims.dead} dead letters")
    if claims.held:
        faults.append(f"{claims.held} still held at the end")
    if claims.taken is not None and claims.taken != captured:
        faults.append(f"the outbox says it took {claims.taken}, the log and S3 say {captured}")
    return Verdict(captured, len(stored), claims.given_up, claims.held, duplicates, lost, tuple(faults))


def misgiven(
    policy: str, captured: Sequence[Captured], stored: Collection[str], newest: Collection[str] = ()
) -> str:
    """Return what is wrong with the choice of what was given up, empty when the policy explains it.

    `newest` are the ids captured last before there was room again.
    """
    kept = [event.score for event in captured if event.id in stored]
    gone = [event.score for event in captured if event.id not in stored]
    if not kept or not gone:
        return ""
    if policy == "drop_lowest_score" and _mean(gone) >= _mean(kept):
        return f"what was given up scored {_mean(gone):.3f}, what was kept {_mean(kept):.3f}"
    if policy == "drop_oldest" and (wrong := [identity for identity in newest if identity not in stored]):
        return f"{len(wrong)} of the newest were given up, not the oldest"
    return ""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
