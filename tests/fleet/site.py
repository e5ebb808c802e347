"""A site of test hosts as its operator sees it: playbooks, the account on AWS, what came into the bucket."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.aws.account import AwsAccount
from tests.fleet.hosts.lab import FOLDER, Lab

REPO = Path(__file__).resolve().parents[2]
PLAYBOOK = REPO / ".venv/bin/ansible-playbook"
CLIP = REPO / ".demo/clips/WolfgangLanger_Pexels.mp4"
CLOUD = "facefleet-lab"
BUCKET = "facefleet-lab"
METADATA_PORT = 5500
"""As inventory/lab says."""
_RECAP = re.compile(
    r"^(?P<host>\S+)\s*: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)"
    r"\s+failed=(?P<failed>\d+)\s+skipped=(?P<skipped>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Played:
    """What a run of playbooks came to."""

    code: int
    output: str
    seconds: float

    def count(self, what: str) -> dict[str, int]:
        """Return a column of the recap by host."""
        return {found["host"]: int(found[what]) for found in _RECAP.finditer(self.output)}

    @property
    def changed(self) -> dict[str, int]:
        """Return the hosts on which something changed."""
        return {host: count for host, count in self.count("changed").items() if count}

    @property
    def said(self) -> str:
        """Return the output in one line: Ansible breaks long messages."""
        return " ".join(self.output.split())

    @property
    def tasks(self) -> int:
        """Return how many tasks ran, on all hosts."""
        return sum(self.count("ok").values())

    def succeeded(self) -> "Played":
        """Return itself, or fail with what it said."""
        assert self.code == 0, self.output[-8000:]
        return self

    def failed(self, *words: str) -> "Played":
        """Return itself if it failed and said all that."""
        assert self.code != 0, f"this should have failed:\n{self.output[-4000:]}"
        for word in words:
            assert word in self.output, f"{word!r} is not in\n{self.output[-6000:]}"
        return self


def run_playbooks(
    *arguments: str, environment: Mapping[str, str], repo: Path = REPO, timeout_s: float = 1500
) -> Played:
    """Run ansible-playbook with what is added to the environment, and tell what it came to."""
    began = time.monotonic()
    done = subprocess.run(
        [str(PLAYBOOK), *arguments],
        cwd=repo,
        env={**os.environ, **environment},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        check=False,
    )
    return Played(done.returncode, done.stdout, time.monotonic() - began)


class Running:
    """A run of playbooks that goes on while one looks."""

    def __init__(self, log: Path, *arguments: str, environment: Mapping[str, str], repo: Path = REPO) -> None:
        """Begin it; what it says goes into `log`."""
        self._log = log
        self._began = time.monotonic()
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [str(PLAYBOOK), *arguments],
                cwd=repo,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """Return what it said until now."""
        return self._log.read_text()

    def await_that(self, condition: Callable[[], bool], what: str, timeout_s: float = 300) -> None:
        """Wait for something while it runs."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._process.poll() is None, f"it ended before {what}:\n{self.output[-4000:]}"
            assert time.monotonic() < deadline, f"{what}: not in {timeout_s:.0f} s:\n{self.output[-4000:]}"
            time.sleep(0.2)

    def await_words(self, words: str, timeout_s: float = 300) -> None:
        """Wait until it says something."""
        self.await_that(lambda: words in self.output, f"it says {words!r}", timeout_s)

    def end(self, timeout_s: float = 900) -> Played:
        """Wait for its end, and tell what it came to."""
        try:
            code = self._process.wait(timeout_s)
        finally:
            self._process.kill()
            self._process.wait()
        return Played(code, self.output, time.monotonic() - self._began)


class Site:
    """Test hosts and an account, and the inventory that describes them."""

    def __init__(self, lab: Lab, account: AwsAccount) -> None:
        self.lab = lab
        self.account = account
        self._plays = 0
        """Each leaves its output in a file, for whoever wonders why a test failed."""

    @property
    def devices(self) -> list[str]:
        """Return the names of the devices that exist."""
        return [name for name in self.lab.names if name != "cloud"]

    def play(
        self,
        *arguments: str,
        limit: Sequence[str] | None = None,
        repo: Path = REPO,
        inventory: str = "inventory/lab",
    ) -> Played:
        """Run playbooks as the operator does, on the hosts that exist: the inventory names more devices."""
        chosen = ",".join(limit or ["control", CLOUD, *self.devices])
        played = run_playbooks(
            "-i", inventory, *arguments, "--limit", chosen, environment=self.account.environment, repo=repo
        )
        self._plays += 1
        (FOLDER / f"play-{self._plays:02}.log").write_text(f"{' '.join(arguments)}\n{played.output}")
        sys.stderr.write(
            f"\n{' '.join(arguments)}: {played.seconds:.0f} s, {played.tasks} tasks, rc {played.code}\n"
        )
        return played

    def place_video(self) -> None:
        """Give each device a video for its camera."""
        for device in self.devices:
            self.place(device, CLIP, "/srv/videos/lobby.mp4")

    def place(self, host: str, source: Path, target: str) -> None:
        """Copy a file to a host, without the network."""
        container = self.lab[host].container
        self.lab[host].run("mkdir", "-p", str(Path(target).parent))
        subprocess.run(["docker", "cp", "--quiet", str(source), f"{container.id}:{target}"], check=True)
        self.lab[host].run("chmod", "0644", target)

    def ask(self, host: str, *command: str) -> str:
        """Run a command that only reads and always says something.

        The engine was seen to lose the output of a command that ended at once: silence is asked again.
        """
        for _ in range(5):
            if said := self.lab[host].run(*command):
                return said
            time.sleep(1)
        raise AssertionError(f"{host}: {' '.join(command)} says nothing")

    def roster(self) -> list[str]:
        """Return the devices that the watch knows of."""
        table = ("python3", "-m", "facefleet.fleet", "http://127.0.0.1:9465/fleet.json", "--json")
        said = self.ask("cloud", "docker", "exec", "facefleet-cloud-watch-1", *table)
        return list(json.loads(said)["devices"])

    def containers(self, host: str) -> dict[str, str]:
        """Return what runs in a host's engine: name to id."""
        listed = self.ask(host, "docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}")
        lines = listed.splitlines()
        return dict(line.split() for line in lines)

    def all_containers(self) -> dict[str, dict[str, str]]:
        """Return the same of all hosts."""
        return {host: self.containers(host) for host in self.lab.names}

    def keys(self, prefix: str = "faces/") -> list[str]:
        """Return the keys in the bucket."""
        s3 = self.account.session().client("s3", endpoint_url=self.account.url)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def faces(self, device: str) -> int:
        """Return how many faces of a device are in the bucket."""
        return len(self.keys(f"faces/{device}/"))

    def await_faces(self, device: str, more_than: int = 0, timeout_s: float = 90) -> int:
        """Wait until there are more faces of a device than so many, and return how many."""
        deadline = time.monotonic() + timeout_s
        while (count := self.faces(device)) <= more_than:
            assert time.monotonic() < deadline, (
                f"no more than {more_than} faces of {device} after {timeout_s:.0f} s:\n{self.logs(device)}"
            )
            time.sleep(1)
        return count

    def logs(self, host: str, *services: str, tail: int = 30) -> str:
        """Return the last lines of a stack's logs."""
        stack = "cloud" if host == "cloud" else "edge"
        return self.compose(host, stack, "logs", "--no-color", "--tail", str(tail), *services)

    def compose(self, host: str, stack: str, *arguments: str) -> str:
        """Run docker compose in a stack's folder on a host."""
        return self.lab[host].run(
            "docker",
            "compose",
            "--ansi",
            "never",
            "--project-directory",
            f"/opt/facefleet/{stack}",
            *arguments,
        )

    def release(self, host: str, stack: str = "edge") -> str:
        """Return the name of the release that a host runs."""
        return Path(self.ask(host, "readlink", f"/opt/facefleet/{stack}/current").strip()).name

    def held(self, device: str) -> int:
        """Return how many events the device's forwarder holds, as it says itself."""
        said = self.lab[device].run(
            "docker", "exec", "facefleet-edge-forwarder-1", "python3", "-c",
            "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())",
        )  # fmt: skip
        found = re.search(r"^facefleet_events_held(?:\{[^}]*\})? ([0-9.e+]+)$", said, re.MULTILINE)
        assert found, said
        return int(float(found[1]))


@contextmanager
def bare(*devices: str, baked: bool = False) -> Iterator[Site]:
    """Bare hosts, an empty account, and nothing that an earlier run left; all of it goes at the end."""
    for name in ("authority", "authority.passphrase", "facts"):
        path = FOLDER / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    with Lab("cloud", *devices, baked=baked) as lab:
        account = AwsAccount(
            FOLDER, host=lab.gateway, port=METADATA_PORT, elastic_address=lab["cloud"].address
        )
        account.start()
        try:
            # As on EC2: the metadata service is reached from containers too.
            lab["cloud"].dnat("169.254.169.254:80", f"{lab.gateway}:{METADATA_PORT}")
            yield Site(lab, account)
        finally:
            account.stop()


def issued(device: str) -> dict[str, object]:
    """Return what the authority wrote down of a host."""
    record: dict[str, object] = json.loads((FOLDER / f"authority/issued/{device}.json").read_text())
    return record
