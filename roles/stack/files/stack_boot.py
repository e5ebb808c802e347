#!/usr/bin/env python3
"""Bring a stack back to its current release when its host starts, whatever the power cut met it at.

systemd runs it after the engine, which by then has started again whatever containers there were: those of a
release that was on its way among them. A host that stands as it should is left alone: nothing restarts.
"""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

# The role's own modules, which lie beside this file: one lock, one way to look, one way to move the link.
import stack_lock
import stack_mend
import stack_promote
import stack_state

_LOCK_WITHIN_S = 1800
_ENGINE_WITHIN_S = 120
_RESTART_WITHIN_S = 300
_LOOK_EVERY_S = 2
_STUCK = ("port is already allocated", "address already in use", "already exists in network")
"""Seen after a power cut: an engine forwards the port of a container that it had just removed, for ever."""


class NotBackError(Exception):
    """The stack does not run as it should; the text says what of it."""


def say(words: str) -> None:
    """Tell whoever reads the journal."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def docker(*words: str, within_s: float | None = None) -> tuple[int, str, str]:
    """Run the engine's client; return exit code, output and complaint."""
    try:
        done = subprocess.run(  # noqa: S603
            ["docker", *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            timeout=within_s,
        )
    except subprocess.TimeoutExpired:
        return 1, "", "the engine does not answer"
    return done.returncode, done.stdout, done.stderr


class Stack:
    """A stack of this host: its folder, and its containers."""

    def __init__(self, home: Path, wait_s: float) -> None:
        """Say where it is and how long it may take to become healthy."""
        self.home = home
        self._wait_s = wait_s

    @property
    def current(self) -> str:
        """Return the name of the current release, or nothing."""
        link = self.home / "current"
        return link.resolve().name if (link / "compose.yaml").is_file() else ""

    def amiss(self, release: str, *, health: bool) -> list[str]:
        """Return in words what does not run as a release says; without `health`, what is up is well."""
        engine = stack_state.Engine(docker)
        services, wanted = engine.lasting(self._file(release)), engine.hashes(self._file(release))
        found = stack_state.running(engine.containers(f"facefleet-{self.home.name}"))
        if engine.problems:
            return list(engine.problems)
        if not health:
            found = {name: one._replace(healthy=one.up) for name, one in found.items()}
        said: list[str] = stack_state.compare(services, wanted, found)
        return said

    def start(self, release: str) -> None:
        """Bring up a release, and wait until all of it is healthy."""
        up = ("up", "--detach", "--no-build", "--pull", "never")
        code, _, problem = self._compose(release, *up, "--remove-orphans")
        if code and any(words in problem for words in _STUCK):
            say(f"The engine holds on to what is gone, so it is started anew: {_last(problem)}.")
            restart_engine()
            code, _, problem = self._compose(release, *up, "--remove-orphans")
        if code:
            # Compose gives up at the first that does not start, a camera's that is not there, say.
            for service in stack_state.Engine(docker).lasting(self._file(release)):
                self._compose(release, *up, "--no-deps", service)
        until = time.monotonic() + self._wait_s
        while said := self.amiss(release, health=True):
            if time.monotonic() > until:
                raise NotBackError("; ".join([_last(problem)] * bool(code) + said))
            time.sleep(_LOOK_EVERY_S)

    def damaged(self, release: str) -> list[str]:
        """Return the images of a release that are not there or not whole."""
        found: list[str] = stack_mend.damaged(self._file(release))
        return found

    def others(self) -> list[str]:
        """Return the releases that came through before the current one, the newest first."""
        came: list[str] = stack_promote.history(self.home)
        return [name for name in reversed(came) if name != self.current]

    def make_current(self, release: str) -> None:
        """Let a release be the current one, for the next deployment to see."""
        stack_promote.came_through(self.home, release)
        stack_promote.link(self.home / "current", f"releases/{release}")
        stack_promote.write(self.home / "shown/release", f"{release}\n")

    def tidy(self) -> None:
        """Remove the releases that never came through, and the mark of the one that was on its way."""
        for folder in stack_promote.unwanted(self.home, [self.current, *stack_promote.history(self.home)]):
            shutil.rmtree(folder)
        stack_promote.forget_coming(self.home)

    def _file(self, release: str) -> Path:
        return self.home / "releases" / release / "compose.yaml"

    def _compose(self, release: str, *words: str) -> tuple[int, str, str]:
        return docker("compose", "--file", str(self._file(release)), *words)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it does not say why"])[-1]


def bring_back(stack: Stack) -> None:
    """Let the current release run; if an image of it is damaged, one that came through before it."""
    coming, release = stack_state.interrupted(stack.home), stack.current
    if not release:
        say("There is no current release yet: the next deployment makes it.")
        return
    amiss = stack.amiss(release, health=False)
    if coming not in ("", release):
        say(f"The deployment of {coming} was interrupted: back to {release}.")
    elif amiss:
        say(f"Not all runs as release {release} says: {'; '.join(amiss)}.")
    if amiss:
        try:
            stack.start(release)
        except NotBackError as problem:
            say(f"Release {release} does not start: {problem}.")
            release = fall_back(stack)
    say(f"Release {release} runs as it should.")
    stack.tidy()


def fall_back(stack: Stack) -> str:
    """Let another release run if it is an image that is at fault; return which."""
    bad = stack.damaged(stack.current)
    if not bad:
        raise NotBackError("its images are whole, so no other release would help: `docker compose ps` there")
    say(f"Damaged: {', '.join(bad)}.")
    try:
        for other in stack.others():
            damaged = stack.damaged(other)
            bad += damaged
            if damaged:
                continue
            try:
                stack.start(other)
            except NotBackError as problem:
                say(f"Release {other} does not start either: {problem}.")
                continue
            say(f"Fell back from release {stack.current} to {other}. Deploy again: that brings images anew.")
            stack.make_current(other)
            return other
        raise NotBackError("no release here has all its images whole. Deploy again: that brings them anew")
    finally:
        # Or else the next deployment would think that they are there.
        stack_mend.remove(bad)


def restart_engine() -> None:
    """Let the engine begin anew, with all containers."""
    # systemd itself waits for as long as it takes; whether it came to anything is asked of the engine.
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["systemctl", "restart", "docker"], check=False, timeout=_RESTART_WITHIN_S)  # noqa: S607
    await_engine()


def await_engine() -> None:
    """Wait until the engine answers."""
    until = time.monotonic() + _ENGINE_WITHIN_S
    # Its socket is there before it is: one that hangs lets its client wait for ever.
    while docker("info", within_s=_ENGINE_WITHIN_S)[0]:
        if time.monotonic() > until:
            raise NotBackError("the Docker engine does not answer")
        time.sleep(_LOOK_EVERY_S)


def take_lock(path: Path, stack: str) -> str:
    """Wait for the host's lock; return what gives it back."""
    claim = stack_lock.Claim(f"the host's own start (facefleet-{stack}.service)", _LOCK_WITHIN_S)
    until = time.monotonic() + _LOCK_WITHIN_S
    while not (taken := stack_lock.take(path, claim)).token:
        if time.monotonic() > until:
            raise NotBackError(f"{taken.held['owner']} has the lock {path}")
        time.sleep(_LOOK_EVERY_S)
    if taken.took_over:
        say(f"The lock was left by a run that is no more: {taken.took_over}.")
    return str(taken.token)


def main() -> int:
    """Do it for the stack in the folder that is named."""
    parser = argparse.ArgumentParser(description="Bring a stack back to its current release.")
    parser.add_argument("home", type=Path, help="folder of the stack")
    parser.add_argument("--wait", type=float, default=180, help="seconds that it may take to become healthy")
    asked = parser.parse_args()
    lock = asked.home.parent / "lock"
    try:
        token = take_lock(lock, asked.home.name)
        try:
            await_engine()
            bring_back(Stack(asked.home, asked.wait))
        finally:
            stack_lock.free(lock, token)
    except NotBackError as problem:
        say(f"The {asked.home.name} stack is not back: {problem}.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
