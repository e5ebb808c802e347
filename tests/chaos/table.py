"""The campaign's table, one row a fault."""

from collections.abc import Sequence

from tests.chaos.campaign import Outcome

HEAD = (
    "fault",
    "cycles",
    "captured",
    "stored",
    "given up",
    "duplicates",
    "sent twice",
    "lost",
    "recover s",
    "worst s",
    "",
)


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return one row's cells."""
    if outcome.skipped:
        return (outcome.name, *[""] * 9, f"SKIPPED: {outcome.skipped}")
    verdict = outcome.verdict
    numbers = (
        [verdict.captured, verdict.stored, verdict.given_up, verdict.duplicates] if verdict else ["?"] * 4
    )
    return (
        outcome.name,
        str(outcome.cycles),
        *map(str, numbers),
        str(outcome.sent_twice),
        str(verdict.lost if verdict else "?"),
        "never" if outcome.median_s is None else f"{outcome.median_s:.1f}",
        "never" if outcome.worst_s is None else f"{outcome.worst_s:.1f}",
        "ok" if outcome.good else "FAIL",
    )


def total(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return the last row."""
    verdicts = [outcome.verdict for outcome in outcomes if outcome.verdict]
    run = [outcome for outcome in outcomes if not outcome.skipped]
    sums = [
        sum(verdict.captured for verdict in verdicts),
        sum(verdict.stored for verdict in verdicts),
        sum(verdict.given_up for verdict in verdicts),
        sum(verdict.duplicates for verdict in verdicts),
        sum(outcome.sent_twice for outcome in run),
        sum(verdict.lost for verdict in verdicts),
    ]
    worst = max((outcome.worst_s for outcome in run if outcome.worst_s is not None), default=None)
    return (
        "all",
        str(sum(outcome.cycles for outcome in run)),
        *map(str, sums),
        "",
        "" if worst is None else f"{worst:.1f}",
        "ok" if all(outcome.good for outcome in outcomes) else "FAIL",
    )


def drawn(outcomes: Sequence[Outcome]) -> str:
    """Return the table, and below it why each row that fails does."""
    lines = [HEAD, *map(cells, outcomes), total(outcomes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD) - 1)]
    text = []
    for line in lines:
        name, *numbers = line[:-1]
        aligned = [name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]
        text.append("  ".join([*aligned, line[-1]]).rstrip())
    text.insert(1, "-" * max(len(line) for line in text))
    text.insert(-1, text[1])
    for outcome in outcomes:
        if not outcome.good:
            text.extend(["", f"{outcome.name}: FAIL"])
            text.extend(f"  {reason}" for reason in outcome.reasons)
    return "\n".join(text)
