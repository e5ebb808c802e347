"""The tables that are printed. Pure."""

from collections.abc import Sequence

from tests.bench.detector.accuracy import Tables
from tests.bench.detector.line import Line


def accuracy_table(tables: Tables) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "labelled faces (YuNet at 0.75 / Haar)",
            "tuned on: recall",
            "false",
            "reported: recall",
            "false",
            "precision",
        )
    ]
    for damage in tables["training"]:
        tuned, told = tables["training"][damage], tables["testing"][damage]
        rows.append(
            (
                damage,
                *(
                    f"{part['ours'].recall:.2f} / {part['haar'].recall:.2f}"
                    if what == "recall"
                    else f"{part['ours'].false} / {part['haar'].false}"
                    for part in (tuned, told)
                    for what in ("recall", "false")
                ),
                f"{told['ours'].precision:.2f} / {told['haar'].precision:.2f}",
            )
        )
    return columns(rows)


def cost_table(lines: Sequence[Line]) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "clip",
            "",
            "CPU ms a frame: decoding",
            "naive",
            "ours",
            "ratio",
            "per decoding",
            "messages: naive",
            "ours",
            "ratio",
            "bytes ratio",
            "MB naive",
            "ours",
        )
    ]
    for line in lines:
        figures = line.figures
        rows.append(
            (
                line.clip.name,
                "tuned on" if line.clip.tuned_on else "",
                f"{line.decoding.cpu_ms:.2f}",
                f"{line.naive.cpu_ms:.0f}",
                f"{line.ours.cpu_ms:.2f}",
                f"{figures['cpu ratio']:.0f}",
                f"{figures['per decoding']:.2f}",
                f"{line.naive.messages:.0f}",
                f"{line.ours.messages:.0f}",
                f"{figures['message ratio']:.0f}",
                f"{figures['byte ratio']:.0f}",
                f"{line.naive.memory_mb:.0f}",
                f"{line.ours.memory_mb:.0f}",
            )
        )
    return columns(rows)


def visit_table(lines: Sequence[Line]) -> str:
    rows: list[tuple[str, ...]] = [
        ("composed clip", "", "visits", "in one track", "without a shot", "shots of no face", "tracks of two")
    ]
    rows += [
        (line.clip.name, "tuned on" if line.clip.tuned_on else "", *(str(each) for each in line.verdict))
        for line in lines
        if line.verdict
    ]
    return columns(rows)


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join(["", *lines, ""])
