"""What a bench found, as rows of one table and as JSON."""

import operator
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

_HOLDS = {"at least": operator.ge, "at most": operator.le}


@dataclass(frozen=True, slots=True)
class Target:
    """What a row is to reach: its ratio when it has a baseline, else its value."""

    kind: Literal["at least", "at most"]
    value: float

    def holds(self, found: float) -> bool:
        return bool(_HOLDS[self.kind](found, self.value))


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: the samples of each side, one a round, in `unit`."""

    bench: str
    what: str
    unit: str
    ours: Sequence[float]
    baseline: Sequence[float] = ()
    """Of the same rounds; empty when there is nothing to compare with."""
    against: str = ""
    """What the baseline is."""
    target: Target | None = None

    @property
    def value(self) -> float:
        return statistics.median(self.ours)

    @property
    def ratio(self) -> float | None:
        """Return ours per baseline: the median of the rounds' ratios when both have one a round."""
        if not self.baseline:
            return None
        if len(self.ours) == len(self.baseline):
            pairs = zip(self.ours, self.baseline, strict=True)
            return statistics.median(mine / theirs if theirs else 0.0 for mine, theirs in pairs)
        return self.value / statistics.median(self.baseline)

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        found = self.value if self.ratio is None else self.ratio
        return self.target.holds(found)

    def as_json(self) -> dict[str, object]:
        return {
            "bench": self.bench,
            "what": self.what,
            "unit": self.unit,
            "ours": list(self.ours),
            "baseline": list(self.baseline),
            "against": self.against,
            "value": self.value,
            "ratio": self.ratio,
            "target": f"{self.target.kind} {self.target.value:g}" if self.target else None,
            "reached": self.reached,
        }


HEAD = ("bench", "what", "ours", "baseline", "unit", "against", "ratio", "target", "")


def render(rows: Sequence[Row], *, smoke: bool) -> str:
    """Return the table. A smoke run shows no verdicts: its figures say nothing."""
    lines = [HEAD, *(_cells(row, smoke=smoke) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(text.rstrip() for text in texts)


def _cells(row: Row, *, smoke: bool) -> tuple[str, ...]:
    verdict = "" if smoke or row.reached is None else "ok" if row.reached else "BELOW TARGET"
    return (
        row.bench,
        row.what,
        _figures(row.ours),
        _figures(row.baseline),
        row.unit,
        row.against,
        f"{row.ratio:.2f}" if row.ratio is not None else "",
        f"{row.target.kind} {row.target.value:g}" if row.target else "",
        verdict,
    )


def _figures(samples: Sequence[float]) -> str:
    """Return the median, and how far the rounds lie apart."""
    if not samples:
        return ""
    if len(samples) == 1:
        return _figure(samples[0])
    return f"{_figure(statistics.median(samples))} ({_figure(min(samples))}-{_figure(max(samples))})"


def _figure(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def say(text: str, where: TextIO = sys.stdout) -> None:
    """Print a line, now."""
    where.write(text + "\n")
    where.flush()
