#!/usr/bin/python
"""Collect what a support case needs of a host: what it is, how its stacks stand, logs without secrets."""
# ruff: noqa: FURB162, UP017, UP035 - Python 3.8 has it so

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.logs_redaction import Redaction, passwords_in, words_of_a_secret
from ansible.module_utils.logs_timeline import Timeline, plain, stamped

DOCUMENTATION = """
module: host_logs
short_description: Collects the logs of all stacks of a host, without secrets
description:
  - Changes nothing. Secrets are taken out on the host, before anything leaves it.
options:
  root: {type: path, required: true, description: Folder of the stacks}
  identity: {type: path, required: true, description: "Folder of the host's certificate and key"}
  since: {type: str, required: true, description: "Begin: 2h, 30m, 7d, or a time in UTC"}
  until: {type: str, required: true, description: "End, the same way; empty for now"}
  max_bytes: {type: int, required: true, description: Of the logs; the newest lines are kept}
author: Facefleet
"""

RETURN = """
text: {type: str, returned: always, description: All that was collected}
lines: {type: int, returned: always, description: Lines of logs}
cut_lines: {type: int, returned: always, description: Older lines that the bound left out}
"""

JOURNAL_LINES = "5000"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BEFORE = re.compile(r"(\d{1,9})([smhd])")
_FORM = "%Y-%m-%dT%H:%M:%SZ"


class TimeError(Exception):
    """A time that nobody understands; the text says how to write it."""


def moment(text: str, now: datetime) -> datetime:
    """Return a moment that was given as a time before now, or as a time in UTC.

    Raises:
        TimeError: it is neither.
    """
    before = _BEFORE.fullmatch(text.strip())
    try:
        if before:
            return now - timedelta(seconds=int(before.group(1)) * _UNITS[before.group(2)])
        given = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return given.replace(tzinfo=timezone.utc) if given.tzinfo is None else given.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise TimeError(f"{text!r} is no time: write 2h, 30m, 7d, or 2026-11-01T08:30:00Z") from None


def span(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """Return begin and end.

    Raises:
        TimeError: one of them is no time, or there is nothing between them.
    """
    begin, end = moment(since, now), moment(until, now) if until else now
    if begin >= end:
        raise TimeError(f"logs_since {begin:{_FORM}} is not before logs_until {end:{_FORM}}")
    return begin, end


def known_secrets(root: Path, identity: Path) -> frozenset[str]:
    """Return the secrets that lie on this host: of the S3 server, of the cameras, and the host's key."""
    found: set[str] = set()
    for file in root.glob("*/secrets/*"):
        found |= words_of_a_secret(_read(file))
    for file in root.glob("*/releases/*/compose.yaml"):
        found |= passwords_in(_read(file))
    for file in identity.glob("*.key"):
        found |= words_of_a_secret(_read(file), 40)
    return frozenset(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


class Collector:
    """Asks one host."""

    def __init__(self, module: AnsibleModule, begin: datetime, end: datetime) -> None:
        """Take the options from the module."""
        self._module = module
        self._root = Path(module.params["root"])
        self._begin, self._end = (f"{each:{_FORM}}" for each in (begin, end))
        self._secrets = known_secrets(self._root, Path(module.params["identity"]))
        self._timeline = Timeline(module.params["max_bytes"])

    def collect(self) -> dict[str, Any]:
        """Return the module's answer."""
        stacks = sorted(path.parent for path in self._root.glob("*/compose.yaml"))
        head = [
            f"span      {self._begin} to {self._end}",
            f"host says {datetime.now(timezone.utc):{_FORM}}",
            *(f"{stack.name:<9} release {(stack / 'current').resolve().name}" for stack in stacks),
        ]
        head += self._facts()
        for stack in stacks:
            head += self._told(f"the {stack.name} stack", self._compose(stack, "ps", "--all"))
            self._read_logs(stack)
        logs = self._timeline.lines()
        cut = self._timeline.cut_lines
        head += ["", "== logs, oldest first; secrets are replaced by ***"]
        if cut:
            head.append(
                f"-- {cut} older lines ({self._timeline.cut_bytes} bytes) were left out: "
                f"the bound is {self._module.params['max_bytes']} bytes (logs_max_bytes)"
            )
        lines = [*self._clean(head), *(logs or ["-- none"]), *self._journal(), ""]
        return {"text": "\n".join(lines), "lines": len(logs), "cut_lines": cut}

    def _facts(self) -> list[str]:
        system = re.search(r'PRETTY_NAME="?([^"\n]*)', _read(Path("/etc/os-release")))
        jetpack = _read(Path("/etc/nv_tegra_release")).split("\n", 1)[0]
        facts = [f"system    {system.group(1) if system else 'unknown'}"]
        if jetpack:
            facts.append(f"jetson    {jetpack}")
        facts += self._told("kernel", ["uname", "-a"])
        facts += self._told(
            "engine", ["docker", "version", "--format", "{{.Server.Version}} API {{.Server.APIVersion}}"]
        )
        facts += self._told("compose", ["docker", "compose", "version", "--short"])
        if _has_systemd():
            facts += self._told("clock", ["timedatectl", "show", "--property=NTPSynchronized,Timezone"])
        facts += self._told("up for", ["uptime"])
        facts += self._told("disk", ["df", "-h", "-x", "tmpfs", "-x", "devtmpfs", "-x", "overlay"])
        return facts + self._told("memory", ["free", "-m"])

    def _told(self, title: str, argv: list[str]) -> list[str]:
        """Return what a command says, below its title."""
        if not self._module.get_bin_path(argv[0]):
            return []
        code, said, trouble = self._module.run_command(argv)
        return ["", f"== {title}", *(said if not code else said + trouble).rstrip().split("\n")]

    def _compose(self, stack: Path, *words: str) -> list[str]:
        return ["docker", "compose", "--ansi", "never", "--project-directory", str(stack / "current"), *words]

    def _read_logs(self, stack: Path) -> None:
        """Line by line, as all of it may be more than the host has memory for."""
        if not self._module.get_bin_path("docker"):
            return
        words = ("--no-color", "--timestamps", "--since", self._begin, "--until", self._end)
        redactions: dict[str, Redaction] = {}
        for line in _streamed(self._compose(stack, "logs", *words)):
            service, bar, text = line.partition("|")
            source = f"{stack.name}/{service.strip()}" if bar else stack.name
            redaction = redactions.setdefault(source, Redaction(self._secrets))
            stamp, said = stamped(text[1:] if bar else line)
            self._timeline.add(source, stamp, redaction.line(said))

    def _journal(self) -> list[str]:
        if not _has_systemd():
            return []
        begin, end = (each.replace("T", " ").replace("Z", " UTC") for each in (self._begin, self._end))
        asked = [
            "journalctl",
            "--unit=docker",
            "--no-pager",
            "--utc",
            "--output=short-iso",
            f"--lines={JOURNAL_LINES}",
        ]
        return self._clean(self._told("the engine's journal", [*asked, f"--since={begin}", f"--until={end}"]))

    def _clean(self, lines: list[str]) -> list[str]:
        redaction = Redaction(self._secrets)
        return [redaction.line(line) for line in lines]


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def _streamed(argv: list[str]) -> Iterator[str]:
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as asked:  # noqa: S603 - no shell
        for line in asked.stdout or ():
            # Compose clears the line even where it is told not to.
            yield plain(line.decode(errors="replace").rstrip("\n"))


def main() -> None:
    """Check the span, then collect."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "identity": {"type": "path", "required": True},
            "since": {"type": "str", "required": True},
            "until": {"type": "str", "required": True},
            "max_bytes": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        begin, end = span(module.params["since"], module.params["until"], datetime.now(timezone.utc))
    except TimeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **Collector(module, begin, end).collect())


if __name__ == "__main__":
    main()
