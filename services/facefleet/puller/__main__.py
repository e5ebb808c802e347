"""`python -m facefleet.puller`: one run. Ends 0 if all is well, 3 if a release failed, 75 if it waits.

With anything else it is broken itself, and roles/pull/files/run.sh lets another do the run.
"""

import argparse
import os
import subprocess
import sys

from facefleet.puller.run import run
from facefleet.puller.settings import PullerSettings
from facefleet.puller.words import State
from facefleet.runtime import logs
from facefleet.runtime.service import EX_CONFIG
from facefleet.runtime.settings import SettingsError, load

ENDS: dict[State, int] = {"ok": 0, "failed": 3, "waiting": os.EX_TEMPFAIL}


def main() -> None:
    """Check the settings, then do one run."""
    parser = argparse.ArgumentParser(prog="facefleet-puller")
    parser.add_argument(
        "--check", action="store_true", help="show that Ansible and nsenter run here, and end"
    )
    options = parser.parse_args()
    logs.configure("puller")
    log = logs.get("puller")
    if options.check:
        sys.exit(0 if _tools_run() else 1)
    try:
        settings = load(PullerSettings, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            log.error("bad setting", problem=problem)
        sys.exit(EX_CONFIG)
    logs.configure("puller", settings.log_level)
    sys.exit(ENDS[run(settings)])


def _tools_run() -> bool:
    """A puller that cannot run them could not even bring its own successor."""
    ansible = [sys.executable, "-m", "ansible.cli.playbook", "--version"]
    connection = [
        sys.executable,
        "-c",
        "import ansible_collections.community.docker.plugins.connection.nsenter",
    ]
    tools = (ansible, connection, ["nsenter", "--version"])
    environment = {**os.environ, "ANSIBLE_HOME": "/tmp/ansible"}  # noqa: S108 - of the container alone
    return all(subprocess.run(tool, check=False, env=environment).returncode == 0 for tool in tools)  # noqa: S603


if __name__ == "__main__":
    main()
