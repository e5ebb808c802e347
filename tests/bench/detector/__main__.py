"""`python -m tests.bench.detector`: the original against ours on one core, accuracy, shots against truth."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
from facefleet.detector.finding.haar import Haar
from facefleet.detector.finding.yunet_onnx import YuNetOnnx
from facefleet.rehearsal.drawing import sheet_of
from facefleet.rehearsal.run import Tally, rehearse

from tests.bench.detector.accuracy import Tables, measure
from tests.bench.detector.clips import KINDS, REAL_KIND, Clip, composed, real
from tests.bench.detector.goals import say_goals
from tests.bench.detector.labelled import pictures
from tests.bench.detector.line import Line
from tests.bench.detector.measured import WAYS, Cost, settings_for
from tests.bench.detector.tables import accuracy_table, cost_table, visit_table
from tests.bench.table import say
from tests.demo_files import DEMO, MODEL

if TYPE_CHECKING:
    from facefleet.detector.finding.face import FaceFinder

SCORE = 0.75
LABELLED = DEMO / "labelled"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.detector", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".cache/bench-detector"))
    parser.add_argument("--seconds", type=float, help="shorten the composed clips; the figures say less")
    parser.add_argument("--only", action="append", choices=KINDS, help="a kind of clips; may be repeated")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a target is not reached")
    options = parser.parse_args()
    marked = list(pictures(LABELLED))
    say("Accuracy on labelled pictures ...", sys.stderr)
    finders: dict[str, FaceFinder] = {"ours": YuNetOnnx(MODEL, SCORE, 640), "haar": Haar(20)}
    tables = {
        part: measure([each for each in marked if each.part == part], finders, SCORE)
        for part in ("training", "testing")
    }
    say(accuracy_table(tables))
    lines: list[Line] = []
    kinds = options.only or KINDS
    say("Composing clips (some minutes the first time) ...", sys.stderr)
    clips = [*composed(options.out / "clips", marked, kinds, seconds=options.seconds)]
    for clip in [*clips, *(real() if REAL_KIND in kinds else ())]:
        say(f"{clip.name} ...", sys.stderr)
        lines.append(Line(clip, *(_measured(way, clip) for way in WAYS)))
        _sheet(clip, options.out)
    say(cost_table(lines))
    say(visit_table(lines))
    missed = say_goals(lines, tables)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.json").write_text(json.dumps(report(lines, tables), indent=1) + "\n")
    say(f"JSON and contact sheets: {options.out}")
    return 1 if missed and options.strict else 0


def report(lines: Sequence[Line], tables: Tables) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "accuracy": {
            part: {row: {k: v._asdict() for k, v in found.items()} for row, found in table.items()}
            for part, table in tables.items()
        },
        "clips": [
            {
                "clip": line.clip.name,
                "kind": line.clip.kind,
                "tuned_on": line.clip.tuned_on,
                **{
                    way: cost._asdict()
                    for way, cost in zip(WAYS, (line.decoding, line.naive, line.ours), strict=True)
                },
                **line.figures,
                "visits": line.verdict._asdict() if line.verdict else None,
            }
            for line in lines
        ],
    }


def _measured(way: str, clip: Clip) -> Cost:
    command = [
        sys.executable,
        "-m",
        "tests.bench.detector.measured",
        way,
        str(clip.file),
        "--sample",
        str(clip.sample),
    ]
    return Cost(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _sheet(clip: Clip, folder: Path) -> None:
    tally = Tally()
    for _ in rehearse(settings_for(clip.file), tally, 0.0):
        pass
    heading = f"{clip.name}: {tally.tracks} faces, {len(tally.shots)} shots"
    cv2.imwrite(str(folder / f"{clip.name}.png"), sheet_of(tally.shots, heading))


if __name__ == "__main__":
    sys.exit(main())
