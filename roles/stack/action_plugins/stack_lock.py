"""Waits for a host's lock; the control host knows whether a run of its own that has it is no more."""
# ruff: noqa: INP001 - Ansible finds it by its folder

import os
import socket
import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

_LOOK_EVERY_S = 2


def process(pid: int) -> dict[str, Any]:
    """Name a process so that no later one is taken for it: numbers come again."""
    started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return {**_place(), "pid": pid, "started": started}


def has_ended(run: dict[str, Any]) -> bool:
    """Return whether a process ended; of one that ran elsewhere nobody here can tell."""
    if any(run.get(key) != value for key, value in _place().items()):
        return False
    try:
        return bool(process(run["pid"])["started"] != run["started"])
    except (FileNotFoundError, ProcessLookupError):
        return True


def _place() -> dict[str, Any]:
    """Name what a process number means something in."""
    return {
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "processes": os.stat("/proc/self/ns/pid").st_ino,  # noqa: PTH116 - Path.stat has no other words
        "on": socket.gethostname(),
    }


class ActionModule(ActionBase):  # type: ignore[misc]
    """Asks the module again and again while another has the lock."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Take it or give it back; fail with the name of who has it."""
        super().run(tmp, task_vars)
        asked = dict(self._task.args)
        until = time.monotonic() + int(asked.get("wait", 0))
        if asked["state"] == "taken":
            asked["run"] = process(os.getppid())  # a task runs in a fork of the run
        while True:
            answer: dict[str, Any] = self._execute_module("stack_lock", asked, task_vars=task_vars)
            held = answer.get("held")
            if not held:
                break
            if has_ended(held["run"]) and asked.get("dead") != held["token"]:
                asked["dead"] = held["token"]
                continue
            if time.monotonic() >= until:
                raise AnsibleActionFail(self._held_words(asked, held, answer["remains"], task_vars))
            time.sleep(_LOOK_EVERY_S)
        if took_over := answer.get("took_over"):
            host = task_vars["inventory_hostname"]
            answer.setdefault("warnings", []).append(
                f"The lock of {host} was left by a run that is no more, and was taken over: {took_over}"
            )
        return answer

    @staticmethod
    def _held_words(asked: dict[str, Any], held: dict[str, Any], remains: int, task_vars: Any) -> str:
        return (
            f"{task_vars['inventory_hostname']} is being changed by {held['owner']}, since {held['since']} "
            f"by its clock; this run waited {asked.get('wait', 0)} s for it and touched nothing. Run this "
            f"again when it is done. If it is no more, its lock ends by itself in {remains} s at most, and "
            f"at once with `sudo rm {asked['path']}` there"
        )
