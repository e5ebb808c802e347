"""`python -m facefleet.puller`: one run. Ends 0 if all is well, 1 if a release failed, 75 if it waits."""

import os
import sys

from facefleet.puller.run import run
from facefleet.puller.settings import PullerSettings
from facefleet.puller.words import State
from facefleet.runtime import logs
from facefleet.runtime.service import EX_CONFIG
from facefleet.runtime.settings import SettingsError, load

ENDS: dict[State, int] = {"ok": 0, "failed": 1, "waiting": os.EX_TEMPFAIL}


def main() -> None:
    """Check the settings, then do one run."""
    logs.configure("puller")
    log = logs.get("puller")
    try:
        settings = load(PullerSettings, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            log.error("bad setting", problem=problem)
        sys.exit(EX_CONFIG)
    logs.configure("puller", settings.log_level)
    sys.exit(ENDS[run(settings)])


if __name__ == "__main__":
    main()
