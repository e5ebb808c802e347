"""`python -m facefleet.probe [--timeout S]`: 0 and JSON once a probe is in S3, else 1 and the reason."""

import argparse
import json
import os
import sys

from facefleet.probe.journey import Journey, NotProvenError, ProbeSettings
from facefleet.runtime import logs
from facefleet.runtime.service import EX_CONFIG
from facefleet.runtime.settings import SettingsError, load

TIMEOUT_S = 90.0
LONGEST_S = 86_400


def main() -> None:
    """Send a probe, wait for the proof, and say it; ends the process."""
    parser = argparse.ArgumentParser(prog="facefleet-probe", description=__doc__)
    parser.add_argument(
        "--timeout", metavar="S", type=_seconds, default=TIMEOUT_S, help="seconds to wait (%(default)s)"
    )
    options = parser.parse_args()
    logs.configure("probe", level="error", to=sys.stderr)
    try:
        settings = load(ProbeSettings, os.environ)
    except SettingsError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
        sys.exit(EX_CONFIG)
    journey = Journey(settings)
    try:
        proof = journey.prove(options.timeout)
    except NotProvenError as error:
        sys.exit(str(error))
    said = {"stored": True, "seconds": round(proof.seconds, 1), "id": proof.id}
    sys.stdout.write(json.dumps(said) + "\n")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 to {LONGEST_S}")
    return seconds


if __name__ == "__main__":
    main()
