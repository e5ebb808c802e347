#!/usr/bin/python
"""Take and give back the lock of a host's stacks: one run at a time, whoever started it."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
# What brings the stacks back at a boot imports it from beside itself, without Ansible.
from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTATION = """
module: stack_lock
short_description: Takes and gives back the lock of a host's stacks
description:
  - Who has the lock may change the stacks of the host; a push, a pull and the host's boot each take it.
  - It says who has it, since when, and until when; that is counted from the host's boot, as its clock may
    be wrong.
  - What a run left that is no more is taken over, and that is said. It is no more if the host started anew
    since, if its time is over, or if it ran on this control host and its process ended.
  - Taken again with its token it is renewed; if another took it over meanwhile, that fails.
  - The lock is no change, and in check mode nothing is taken.
options:
  path: {type: path, required: true, description: File of the lock}
  state: {type: str, choices: [taken, free], required: true, description: What to do}
  owner: {type: str, description: "Who takes it, in words that an operator understands"}
  hold: {type: int, default: 600, description: "Seconds after which it counts no more, unless it is renewed"}
  wait: {type: int, default: 0, description: Seconds that the control host waits while another has it}
  token: {type: str, default: "", description: What taking it returned; renews it or gives it back}
  run: {type: dict, default: {}, description: The process that takes it; filled in by the control host}
  dead: {type: str, default: "", description: Token of a run that ended; filled in by the control host}
author: Facefleet
"""

RETURN = """
token: {type: str, returned: when it was taken, description: Renews it or gives it back}
held: {type: dict, returned: when another has it, description: What the lock says}
remains: {type: int, returned: when another has it, description: Seconds until it counts no more}
took_over: {type: str, returned: always, description: "What a run that is no more left, and how one knows"}
"""


class Claim(NamedTuple):
    """Who wants it, for how many seconds, and the process that does."""

    owner: str
    hold_s: int
    run: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


class Taken(NamedTuple):
    """What came of asking for it: a token if it was got, else what the lock says and for how long."""

    token: str = ""
    held: dict[str, Any] | None = None
    remains: int = 0
    took_over: str = ""


class LostError(Exception):
    """Another run has the lock that one thought to have; the text names it."""


def boot() -> str:
    """Name this start of the host; a container starts anew on a kernel that does not."""
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    first = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    return f"{kernel}-{first}"


def since_boot() -> float:
    """Count seconds as nobody can set them; those in which the host slept are among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def take(path: Path, claim: Claim, dead: str = "") -> Taken:
    """Take the lock, unless another has it that is not `dead`."""
    with _alone(path):
        held, left_by = _read(path)
        if held and not left_by:
            remains = min(held["until_s"] - since_boot(), held["hold_s"])
            if held["boot"] != boot():
                left_by = "the host started anew since"
            elif remains <= 0:
                left_by = "its time is over"
            elif held["token"] == dead:
                left_by = "its process ended"
            else:
                return Taken(held=held, remains=int(remains) + 1)
        token = uuid.uuid4().hex
        _write(path, claim, token, _utc(time.time()))
        left = f"{held['owner']} took it at {held['since']}, and {left_by}" if held else left_by
        return Taken(token=token, took_over=left)


def renew(path: Path, claim: Claim, token: str) -> Taken:
    """Have it for longer; fail if another took it over."""
    with _alone(path):
        held, _ = _read(path)
        if not held:
            raise LostError("somebody took it away")
        if held["token"] != token:
            raise LostError(f"{held['owner']} has it since {held['since']}")
        if held["boot"] != boot():
            raise LostError("the host started anew")
        _write(path, claim, token, held["since"])
        return Taken(token=token)


def free(path: Path, token: str) -> None:
    """Give the lock back, if one has it."""
    with _alone(path):
        if _read(path)[0].get("token") == token:
            path.unlink()
            sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Let what was renamed in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others from the file while one looks and writes; the kernel lets go of it when a process ends."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """Return what the lock says, or why what is there says nothing."""
    try:
        said = json.loads(path.read_text())
        return {
            "owner": str(said["owner"]), "since": str(said["since"]), "until": str(said["until"]),
            "token": str(said["token"]), "boot": str(said["boot"]), "until_s": float(said["until_s"]),
            "hold_s": int(said["hold_s"]), "run": said["run"],
        }, ""  # fmt: skip
    except FileNotFoundError:
        return {}, ""
    except (ValueError, TypeError, KeyError):
        return {}, "it cannot be read"


def _write(path: Path, claim: Claim, token: str, since: str) -> None:
    said = {
        **claim._asdict(),
        "since": since,
        "until": _utc(time.time() + claim.hold_s),
        "token": token,
        "boot": boot(),
        "until_s": since_boot() + claim.hold_s,
    }
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w") as out:
        json.dump(said, out)
        out.flush()
        os.fsync(out.fileno())
    draft.chmod(0o644)
    draft.replace(path)
    sync_folder(path.parent)


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def main() -> None:
    """Do what is asked."""
    from ansible.module_utils.basic import AnsibleModule  # noqa: PLC0415 - see above

    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["taken", "free"], "required": True},
            "owner": {"type": "str"},
            "hold": {"type": "int", "default": 600},
            "wait": {"type": "int", "default": 0},
            "token": {"type": "str", "default": "", "no_log": False},
            "run": {"type": "dict", "default": {}},
            "dead": {"type": "str", "default": ""},
        },
        required_if=[("state", "taken", ["owner"])],
        supports_check_mode=True,
    )
    asked = module.params
    path = Path(asked["path"])
    if module.check_mode:
        module.exit_json(changed=False, token="", took_over="")
    if asked["state"] == "free":
        free(path, asked["token"])
        module.exit_json(changed=False)
    claim, token = Claim(asked["owner"], asked["hold"], asked["run"]), asked["token"]
    try:
        taken = renew(path, claim, token) if token else take(path, claim, asked["dead"])
    except LostError as lost:
        module.fail_json(
            msg=f"This run lost the lock {path}: {lost}. It stopped, so that two never meet; run it again"
        )
    module.exit_json(changed=False, **taken._asdict())


if __name__ == "__main__":
    main()
