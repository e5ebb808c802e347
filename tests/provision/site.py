"""A site to provision: a copy of inventory/aws, as an operator would make it."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.fleet.aws.account import REPO, AwsAccount

NAME = "harbour"
BUCKET = "harbour-faces"
HOST = f"facefleet-{NAME}"


class Outcome(NamedTuple):
    """What a run of a playbook did."""

    output: str
    failed: bool
    changed: int
    calls: list[str]
    """What was asked of AWS."""

    @property
    def text(self) -> str:
        """Return the output on one line: a callback breaks messages anywhere."""
        return re.sub(r"\s+", " ", self.output)


class Site:
    """The inventory folder, and playbooks run on it."""

    def __init__(self, folder: Path, account: AwsAccount, key_file: Path) -> None:
        self.folder = folder / NAME
        shutil.copytree(REPO / "inventory/aws", self.folder)
        self._account = account
        self._edit("aws_ec2.yml", {"tag:facefleet:site: aws": f"tag:facefleet:site: {NAME}"})
        self._edit(
            "group_vars/all.yml",
            {
                "facefleet-change-me": BUCKET,
                "~/.ssh/id_ed25519.pub": f"{key_file}\naws_instance_wait_s: 0\ncloud_depot: true",
            },
        )
        self.seconds: list[tuple[str, float]] = []
        self.calls: set[str] = set()

    @property
    def known_hosts(self) -> str:
        """Return what provision.yml pinned."""
        file = self.folder / "known_hosts.txt"
        return file.read_text() if file.exists() else ""

    def provision(self, *options: str, **variables: Any) -> Outcome:
        """Run provision.yml."""
        return self._play("playbooks/provision.yml", *options, **variables)

    def unprovision(self, *options: str, **variables: Any) -> Outcome:
        """Run unprovision.yml, confirmed unless told."""
        return self._play("playbooks/unprovision.yml", *options, **{"teardown_confirmed": True, **variables})

    def inventory(self) -> dict[str, Any]:
        """Return the inventory as Ansible sees it now."""
        found: dict[str, Any] = json.loads(self._run("ansible-inventory", "--list").stdout)
        return found

    def _play(self, playbook: str, *options: str, **variables: Any) -> Outcome:
        self._account.calls()
        start = time.monotonic()
        done = self._run("ansible-playbook", playbook, *options, "-e", json.dumps(variables))
        self.seconds.append((f"{playbook} {options} {variables}", time.monotonic() - start))
        recap = re.search(r"^laptop\s*:.*changed=(\d+)", done.stdout, re.MULTILINE)
        assert recap, done.stdout + done.stderr
        calls = self._account.calls()
        self.calls.update(calls)
        return Outcome(done.stdout + done.stderr, bool(done.returncode), int(recap[1]), calls)

    def _run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(REPO / ".venv/bin" / tool), "-i", str(self.folder), *arguments],
            cwd=REPO,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder.parent),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_DEPRECATION_WARNINGS": "false",
                **self._account.environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )

    def _edit(self, name: str, changes: dict[str, str]) -> None:
        file = self.folder / name
        text = file.read_text()
        for before, after in changes.items():
            assert before in text, f"{name} says no more {before!r}"
            text = text.replace(before, after)
        file.write_text(text)
