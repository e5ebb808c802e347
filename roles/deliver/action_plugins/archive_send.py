"""Bring an archive to a host's engine in pieces: over a link that drops, under a cap, behind the faces."""
# ruff: noqa: INP001 - Ansible finds it by its folder

from __future__ import annotations

import hashlib
import json
import shlex
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTATION = """
module: archive_send
short_description: Brings an archive to a host's engine, and goes on where it was
description:
  - Sends pieces through the connection that the play has, each a command that writes it at its place.
  - What the host has is known by its hashes, block by block; only what is missing or wrong is sent.
  - When the link drops it is tried again; a later run goes on too.
  - Files of the same folder that end in C(.part) are of archives that nobody wants any more, and go.
  - Once all of it is there the engine loads it, and the folder goes.
options:
  src: {type: path, required: true, description: The archive on the control host}
  folder: {type: path, required: true, description: "The folder on the host, for this alone"}
  load_s: {type: int, default: 1800, description: Seconds that the engine may take to load it}
  bandwidth_bytes_s: {type: int, default: 0, description: The most that is sent in a second; 0 is no cap}
  yields_to: {type: list, elements: str, default: [], description: What prints the forwarder's status}
  backlog_s: {type: int, default: 10, description: Age in seconds from which a face that waits is a backlog}
  trickle_bytes_s: {type: int, default: 32768, description: What is sent in a second while a backlog goes}
  yield_most_s: {type: int, default: 1800, description: Seconds in all after which it yields no more}
  reconnect_s: {type: int, default: 300, description: Seconds for which a link that dropped is tried again}
author: Facefleet
"""

RETURN = """
bytes: {type: int, returned: always, description: Its size}
sent: {type: int, returned: always, description: Bytes that were sent now}
drops: {type: int, returned: always, description: How often the link dropped}
yielded_s: {type: int, returned: always, description: Seconds for which the faces went first}
"""

BLOCK = 256 * 1024
"""What is known by one hash, and is sent again when a part of it is wrong."""
PIECE_LEAST, PIECE_MOST = 16 * 1024, 8 * 1024 * 1024
PIECE_S = 1.0
"""Under a cap a piece is what may go in so long: small bursts, and a short wait for the faces."""
FREE_S, FREE_MOST_S = 2.0, 15.0
"""Without one it is what goes in so long, or longer where each piece costs several long round trips."""
COST_SHARE = 20
"""The time of a piece is so many times what it costs to begin one, so that the link seldom idles."""

HEAR_S = 10.0
STUCK_S = 60.0
"""A backlog of which nothing went for so long does not move: waiting helps no face."""
TELL_S = 15.0
ROUNDS = 3
RETRY_S, RETRY_MOST_S = 2.0, 30.0

# What it says: the room that is left, then `whole`, or the hash of each block.
LOOK = r"""umask 077; mkdir -p {folder} && cd {folder} || exit 1
for f in *.part; do [ "$f" = {name} ] || rm -f -- "$f"; done
[ -e {name} ] && truncate -s '<{size}' {name} || : > {name} || exit 1
df --output=avail -B1 . | tail -n 1
[ "$(sha256sum < {name} | cut -c -64)" = {digest} ] && echo whole \
  || split -b {block} --filter=sha256sum {name}"""
# At its place, not at the end: one that a dead connection still writes does no harm.
WRITE = (
    "umask 077; dd of={folder}/{name} bs=64K iflag=fullblock seek={offset} oflag=seek_bytes conv=notrunc "
    "status=none"
)
# Whatever comes of it: what the engine refuses once is not wanted again, and may be what fills the disk.
LOAD = (
    "timeout {most_s} docker image load --quiet --input {folder}/{name}; said=$?; rm -rf {folder}; exit $said"
)


class Backlog:
    """Whether the faces that wait on the device go first: as long as they go at all, and not for ever."""

    def __init__(self, old_s: float, most_s: float) -> None:
        """Nothing was heard yet. A face older than `old_s` is a backlog; `most_s` bounds all yielding."""
        self._old_s, self._most_s = old_s, most_s
        self._gone: int | None = None
        self._moved_at = 0.0
        self._since: float | None = None
        self._before_s = 0.0

    def hear(self, said: str, now: float) -> None:
        """Take a status of the forwarder; what is none means that no face waits."""
        status = _status(said)
        gone = sum(int(status.get(name) or 0) for name in ("stored", "dead", "given_up"))
        waits = (
            status.get("cloud") == "connected"
            and int(status.get("held") or 0) > 0
            and float(status.get("oldest_s") or 0) >= self._old_s
        )
        if self._gone is None or gone != self._gone or not waits:
            self._moved_at = now
        self._gone = gone
        yields = waits and now - self._moved_at < STUCK_S and self.yielded_s(now) < self._most_s
        if self._since is not None and not yields:
            self._before_s, self._since = self.yielded_s(now), None
        elif self._since is None and yields:
            self._since = now

    def yields(self, now: float) -> bool:
        """Return whether they go first now."""
        return self._since is not None and self.yielded_s(now) < self._most_s

    def yielded_s(self, now: float) -> float:
        """Return for how long they did, in all."""
        current_s = now - self._since if self._since is not None else 0.0
        return min(self._before_s + current_s, self._most_s)


def _status(said: str) -> dict[str, Any]:
    with suppress(ValueError):
        status = json.loads(said)
        if isinstance(status, dict):
            return status
    return {}


class Pace:
    """How large the next piece is, and when it may go."""

    def __init__(self, cost_s: float) -> None:
        """Say what it takes to begin a piece."""
        self._free_s = min(max(FREE_S, COST_SHARE * cost_s), FREE_MOST_S)
        self._cost_s = cost_s
        self._speed = PIECE_LEAST * 4 / FREE_S
        self._next = 0.0

    def piece(self, rate: int) -> int:
        """Return the bytes of the next piece under a cap; 0 is none."""
        wanted = rate * PIECE_S if rate else self._speed * self._free_s
        return int(min(max(wanted, min(PIECE_LEAST, rate or PIECE_LEAST)), PIECE_MOST))

    def sent(self, size: int, rate: int, began: float, ended: float) -> None:
        """Note a piece that went."""
        took_s = max(ended - began - self._cost_s, 0.001)
        # At most four times as fast as before: a small piece may have gone into buffers only.
        self._speed = min(size / took_s, self._speed * 4)
        self._next = max(self._next, began) + size / rate if rate else ended

    def wait_s(self, now: float) -> float:
        """Return for how long the next one has to wait."""
        return max(self._next - now, 0.0)


def missing(ours: list[str], theirs: list[str], size: int) -> Iterator[tuple[int, int]]:
    """Yield the parts (first byte, end) that a host lacks, by the hashes of the blocks on both sides."""
    first: int | None = None
    for number, digest in enumerate(ours):
        wrong = number >= len(theirs) or theirs[number] != digest
        if wrong and first is None:
            first = number * BLOCK
        elif not wrong and first is not None:
            yield first, number * BLOCK
            first = None
    if first is not None:
        yield first, size


class Archive:
    """The archive on this side."""

    def __init__(self, path: Path) -> None:
        """Read it once for its hashes."""
        self.path = path
        self.size = path.stat().st_size
        whole = hashlib.sha256()
        self.blocks: list[str] = []
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                whole.update(block)
                self.blocks.append(hashlib.sha256(block).hexdigest())
        self.digest = whole.hexdigest()
        self.name = f"{self.digest[:16]}.part"

    def read(self, offset: int, most: int) -> bytes:
        """Return a piece."""
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(most)


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible has no types
    """Sends an archive; see above."""

    _VALID_ARGS = frozenset(
        (
            "src",
            "folder",
            "load_s",
            "bandwidth_bytes_s",
            "yields_to",
            "backlog_s",
            "trickle_bytes_s",
            "yield_most_s",
            "reconnect_s",
        )
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send what the host lacks of it."""
        super().run(tmp, task_vars)
        arguments = self._arguments()
        self._host = (task_vars or {}).get("inventory_hostname", "the host")
        self._folder = shlex.quote(arguments["folder"])
        self._cap, self._trickle = arguments["bandwidth_bytes_s"], arguments["trickle_bytes_s"]
        self._status_command = shlex.join(arguments["yields_to"])
        self._reconnect_s = arguments["reconnect_s"]
        self._backlog = Backlog(arguments["backlog_s"], arguments["yield_most_s"])
        self._archive = Archive(Path(arguments["src"]))
        self._began = self._told = self._progress = time.monotonic()
        self._heard = float("-inf")
        self._sent = self._drops = 0
        self._retry_s, self._reached = 0.0, False
        self._bring()
        self._on_host(LOAD.format(most_s=arguments["load_s"], folder=self._folder, name=self._archive.name))
        now = time.monotonic()
        return {
            "changed": True,
            "bytes": self._archive.size,
            "sent": self._sent,
            "drops": self._drops,
            "yielded_s": round(self._backlog.yielded_s(now)),
        }

    def _arguments(self) -> dict[str, Any]:
        number = {"type": "int"}
        _, arguments = self.validate_argument_spec(
            {
                "src": {"type": "path", "required": True},
                "folder": {"type": "path", "required": True},
                "load_s": number | {"default": 1800},
                "bandwidth_bytes_s": number | {"default": 0},
                "yields_to": {"type": "list", "elements": "str", "default": []},
                "backlog_s": number | {"default": 10},
                "trickle_bytes_s": number | {"default": 32768},
                "yield_most_s": number | {"default": 1800},
                "reconnect_s": number | {"default": 300},
            }
        )
        if arguments["bandwidth_bytes_s"] < 0 or arguments["trickle_bytes_s"] < 1:
            raise AnsibleActionFail(
                "deliver_bandwidth_bytes_s is bytes a second or 0, and deliver_trickle_bytes_s at least 1"
            )
        return dict(arguments)

    def _bring(self) -> None:
        """Look what is missing and send it, until nothing is; a link that drops is tried again."""
        rounds = 0
        while True:
            try:
                asked = time.monotonic()
                parts = self._look()
                if parts is None:
                    return
                if rounds == ROUNDS:
                    raise AnsibleActionFail(
                        f"{self._host} keeps other bytes than it was sent, {ROUNDS} times: look at its disk"
                    )
                self._send(parts, Pace(time.monotonic() - asked))
                rounds += 1
            except AnsibleConnectionFailure as error:
                self._drops += 1
                self._await_link(error)

    def _await_link(self, error: AnsibleConnectionFailure) -> None:
        # One that lets nobody in at first is not one whose link dropped.
        if not self._reached or time.monotonic() - self._progress > self._reconnect_s:
            raise error
        self._retry_s = min(max(2 * self._retry_s, RETRY_S), RETRY_MOST_S)
        self._tell(f"the link dropped; trying again in {self._retry_s:.0f} s")
        time.sleep(self._retry_s)
        with suppress(AnsibleConnectionFailure):
            self._connection.reset()

    def _look(self) -> list[tuple[int, int]] | None:
        """Return what the host lacks; None when it has it all."""
        archive = self._archive
        said = self._on_host(
            LOOK.format(
                folder=self._folder, name=archive.name, size=archive.size, digest=archive.digest, block=BLOCK
            )
        ).split("\n")
        self._retry_s, self._reached = 0.0, True
        if "whole" in said:
            return None
        room, *lines = said
        parts = list(missing(archive.blocks, [line.split(" ")[0] for line in lines if line], archive.size))
        lacks = sum(end - first for first, end in parts)
        if lacks > int(room):
            raise AnsibleActionFail(
                f"{self._host} has room for {_mb(int(room))} in {self._folder}, and {_mb(lacks)} come: "
                "free some, or set deliver_folder to another disk"
            )
        return parts

    def _send(self, parts: list[tuple[int, int]], pace: Pace) -> None:
        left = sum(end - first for first, end in parts)
        for first, end in parts:
            offset = first
            while offset < end:
                time.sleep(pace.wait_s(time.monotonic()))
                rate = self._rate()
                piece = self._archive.read(offset, min(pace.piece(rate), end - offset))
                if not piece:
                    raise AnsibleActionFail(f"{self._archive.path} changed while it was sent: run this again")
                began = time.monotonic()
                self._on_host(
                    WRITE.format(folder=self._folder, name=self._archive.name, offset=offset), piece
                )
                pace.sent(len(piece), rate, began, time.monotonic())
                offset += len(piece)
                left -= len(piece)
                self._sent += len(piece)
                self._progress = time.monotonic()
                if self._progress - self._told > TELL_S:
                    self._tell_progress(left)

    def _rate(self) -> int:
        """Return the bytes of a second that may go now; 0 is as many as the link takes."""
        now = time.monotonic()
        if self._status_command and now - self._heard >= HEAR_S:
            self._heard = now
            done = self._low_level_execute_command(f"timeout 10 {self._status_command}", in_data=b"\n")
            self._backlog.hear(done["stdout"] if done["rc"] == 0 else "", time.monotonic())
        if not self._backlog.yields(now):
            return int(self._cap)
        return int(min(self._trickle, self._cap or self._trickle))

    def _on_host(self, command: str, data: bytes = b"\n") -> str:
        # Data, even where none is read: without, there would be a terminal in between.
        done = self._low_level_execute_command(command, in_data=data)
        if done["rc"]:
            raise AnsibleActionFail(
                f"{self._host} does not take the images: {(done['stderr'] or done['stdout']).strip()[-500:]}"
            )
        return str(done["stdout"])

    def _tell_progress(self, left: int) -> None:
        now = time.monotonic()
        size = self._archive.size
        speed = self._sent / (now - self._began)
        why = ", the faces go first" if self._backlog.yields(now) else ""
        self._tell(f"{_mb(size - left)} of {_mb(size)}, {_mb(speed)}/s{why}")

    def _tell(self, text: str) -> None:
        self._told = time.monotonic()
        self._display.display(f"{self._host}: {text}")


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f} MB"
