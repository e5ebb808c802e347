"""A device whose power is cut in the middle of an update, again and again, at each of its steps."""

import json
import os
import random
import selectors
import subprocess
import time
from dataclasses import dataclass
from typing import NamedTuple

from tests.fleet.site import CLOUD, PLAYBOOK, REPO, Site

STACK = "/opt/facefleet/edge"
RELEASES: tuple[dict[str, object], ...] = (
    {"edge_log_level": "info", "edge_broker_queue_bytes": 134_217_728},
    {"edge_log_level": "debug", "edge_broker_queue_bytes": 134_217_729},
)
"""Two that differ in each container: one that runs beside one of the other release is seen."""
UPDATE_WITHIN_S = 400.0
BACK_WITHIN_S = 240.0
_LOOK_EVERY_S = 0.5


_GROWN = f"""cd {STACK}
for r in $(ls releases | tail -n +4); do echo release $r; done
for f in files/*; do grep -qF $f releases/*/compose.yaml || echo file $f; done
for i in $(docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}'); do
  grep -qF $i releases/*/compose.yaml || echo image $i
done
for c in $(docker ps --all --quiet); do
  docker inspect --format '{{{{json .HostConfig.LogConfig}}}}' $c | grep -v '"max-file":"3","max-size":"10m"'
done
[ $(docker volume ls --quiet | wc -l) = 3 ] || docker volume ls --quiet
true
"""


class Step(NamedTuple):
    """A moment of an update: what Ansible says when it begins, and for how long after that a cut may come."""

    name: str
    begins: str
    lasts_s: float


STEPS = (
    Step("lock", "stack : Take the lock", 1.0),
    Step("place", "stack : Place the folders and files of the release", 1.5),
    Step("validate", "stack : Let each service check its settings and files", 3.0),
    Step("first", "stack : Start what the others need first", 12.0),
    Step("others", "stack : Start the others", 4.0),
    Step("gate", "stack : Send a probe the whole way", 3.0),
    Step("settle", "stack : Wait until all are healthy", 2.0),
    Step("promote", "stack : Make this release the current one", 3.0),
    Step("prune", "stack : Remove those of ours that no release of the host names", 1.5),
    Step("boot", "stack : Start the others", 2.0),
    Step("random", "stack : Take the lock", 30.0),
)
"""`boot`: the power goes a second time, while the host comes back from the first."""


class Standing(NamedTuple):
    """How a device stands after it started: its release, and what does not fit to it."""

    release: str
    wrong: list[str]


@dataclass(frozen=True)
class Cut:
    """One cut: where it came, what ran before and after, and how long the device took to be back."""

    step: str
    after_s: float
    came: bool
    before: str
    after: str
    back_s: float
    wrong: list[str]

    @property
    def kept(self) -> str:
        """Return whether the old or the new release runs."""
        return "old" if self.before == self.after else "new"


class Device:
    """The device, and the updates that never end well."""

    def __init__(self, site: Site, name: str, chance: random.Random) -> None:
        self._site = site
        self._name = name
        self._host = site.lab[name]
        self._chance = chance

    def update(self, release: dict[str, object]) -> None:
        """Update it and let it be."""
        words = ("tests/fleet/powercut.yml", "-e", json.dumps(release))
        self._site.play(*words, limit=["control", CLOUD, self._name]).succeeded()

    def cut_in(self, step: Step, release: dict[str, object]) -> Cut:
        """Begin an update, cut the power in a step of it, switch it on again, and see how it stands."""
        before = self._site.release(self._name)
        after_s = self._chance.uniform(0, step.lasts_s)
        came = self._update_until(step.begins, after_s, release)
        began = time.monotonic()
        self._host.container.start()
        if step.name == "boot":
            time.sleep(self._chance.uniform(0.5, 8))
            self._host.kill()
            began = time.monotonic()
            self._host.container.start()
        standing = self._await_back()
        return Cut(
            step.name, after_s, came, before, standing.release, time.monotonic() - began, standing.wrong
        )

    def cut_the_first(self, step: Step, release: dict[str, object]) -> str:
        """Cut the power in the first deployment of all; return what the host said when it was back."""
        assert self._update_until(step.begins, self._chance.uniform(0, step.lasts_s), release)
        self._host.container.start()
        self._await_boot()
        return self.journal()

    def stand_in_the_way(self) -> Standing:
        """Let another have the broker's port, as an engine had after a cut; let the unit bring it back."""
        image = self._host.run(
            "docker", "inspect", "-f", "{{.Config.Image}}", "facefleet-edge-broker-1"
        ).strip()
        self._host.run("docker", "stop", "--time", "1", "facefleet-edge-broker-1")
        taken = ("docker", "run", "--detach", "--name", "foreign", "--publish", "127.0.0.1:1883:1883")
        self._host.run(*taken, image, "sleep", "1000")
        # It has no restart policy: the engine's start anew ends it.
        self._host.run("systemctl", "start", "facefleet-edge")
        self._host.run("docker", "rm", "--force", "foreign")
        return self._look([])

    def journal(self) -> str:
        """Return what the unit said of late."""
        return self._try("journalctl", "--unit", "facefleet-edge", "--no-pager", "--lines", "12")

    def _update_until(self, begins: str, after_s: float, release: dict[str, object]) -> bool:
        """Cut the power so long after a task began; return whether it began before the update ended."""
        run = subprocess.Popen(
            [PLAYBOOK, "-i", "inventory/lab", "tests/fleet/powercut.yml", "-e", json.dumps(release),
             "--limit", f"control,{CLOUD},{self._name}"],
            cwd=REPO,
            env={**os.environ, **self._site.account.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            came = _await_words(run, begins.encode(), UPDATE_WITHIN_S)
            if came:
                time.sleep(after_s)
            self._host.kill()
        finally:
            # It would wait for a host that is gone. Not killed: it has to end its workers, each of which is a
            # process group of its own, or they would go on with what they loop over when the host is back.
            run.terminate()
            run.wait()
            if run.stdout:
                run.stdout.close()
        self._site.lab.key.hang_up()
        return came

    def _await_back(self) -> Standing:
        """Wait until what brings the stack back has ended, and look what runs."""
        wrong = [] if self._await_boot() == "success" else [self.journal()]
        return self._look(wrong)

    def _await_boot(self) -> str:
        """Wait until what brings the stack back has ended; return with what result."""
        deadline = time.monotonic() + BACK_WITHIN_S
        asked = ("systemctl", "show", "facefleet-edge", "--property=ExecMainExitTimestampMonotonic,Result")
        while True:
            said = dict(line.split("=", 1) for line in self._try(*asked).splitlines() if "=" in line)
            if said.get("ExecMainExitTimestampMonotonic", "0") != "0":
                return said["Result"]
            assert time.monotonic() < deadline, self.journal()
            time.sleep(_LOOK_EVERY_S)

    def _look(self, wrong: list[str]) -> Standing:
        """Compare what runs with the current release, and the folder with what belongs there."""
        release = self._site.release(self._name)
        hashes = self._site.ask(
            self._name, "docker", "compose", "-f", f"{STACK}/releases/{release}/compose.yaml",
            "config", "--hash", "*",
        )  # fmt: skip
        listed = self._site.ask(
            self._name, "docker", "ps", "--all", "--format",
            '{{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.config-hash"}} {{.State}}',
        )  # fmt: skip
        wanted = sorted(f"{line} running" for line in hashes.splitlines())
        runs = sorted(listed.splitlines())
        if runs != wanted:
            wrong = [*wrong, f"{runs} runs, not {wanted}"]
        left = self._try(
            "sh", "-c",
            f"ls {STACK}/coming /opt/facefleet/lock 2>/dev/null; "
            f"for r in {STACK}/releases/*; do [ -s $r/compose.yaml ] || echo $r; done",
        )  # fmt: skip
        return Standing(release, [*wrong, *left.split()])

    def _try(self, *command: str) -> str:
        """Run a command on a host that may not be up yet."""
        done = self._host.container.exec_run(list(command))
        assert isinstance(done.output, bytes)  # it was not asked to stream
        return done.output.decode(errors="replace") if done.exit_code == 0 else ""

    def grown(self) -> list[str]:
        """Return what is there beyond its bound, after all these updates."""
        listed = self._host.run("sh", "-c", _GROWN)
        return listed.split()

    def pause(self) -> None:
        """Let its camera capture no more."""
        self._host.run("touch", f"{STACK}/paused/lobby")

    def status(self) -> dict[str, int]:
        """Return what the camera says of itself, as the broker heard it last."""
        words = ("mosquitto_sub", "-t", f"status/{self._name}/lobby", "-C", "1", "-W", "5")
        said: dict[str, int] = json.loads(
            self._site.ask(self._name, "docker", "exec", "facefleet-edge-broker-1", *words)
        )
        return said


def _await_words(run: "subprocess.Popen[bytes]", words: bytes, within_s: float) -> bool:
    """Read what a run says until it says this; return whether it did before it ended."""
    assert run.stdout
    said, deadline = b"", time.monotonic() + within_s
    with selectors.DefaultSelector() as ready:
        ready.register(run.stdout, selectors.EVENT_READ)
        while words not in said:
            assert time.monotonic() < deadline, said.decode(errors="replace")
            if not ready.select(1):
                continue
            more = os.read(run.stdout.fileno(), 65536)
            if not more:
                return False
            said += more
    return True


def table(cuts: list[Cut]) -> str:
    """Return a line a step: how many cuts, which release ran after them, and how long it took."""
    lines = [
        f"{'STEP':<10}{'CUTS':>5}{'OLD':>5}{'NEW':>5}{'NONE OR MIX':>13}{'BACK IN s (median, most)':>26}"
    ]
    names = list(dict.fromkeys(cut.step for cut in cuts))
    for name in [*names, "all"]:
        those = [cut for cut in cuts if name in (cut.step, "all")]
        took = sorted(cut.back_s for cut in those)
        lines.append(
            f"{name:<10}{len(those):>5}{sum(cut.kept == 'old' for cut in those):>5}"
            f"{sum(cut.kept == 'new' for cut in those):>5}{sum(bool(cut.wrong) for cut in those):>13}"
            f"{took[len(took) // 2]:>20.0f}{took[-1]:>6.0f}"
        )
    return "\n".join(lines)
