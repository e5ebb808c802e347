"""An Ansible callback that writes down which playbook failed, and why, in the words of the task that did."""

# ruff: noqa: D102 - Ansible's own names

import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: outcome
type: notification
short_description: Writes the last failure's message to the file FACEFLEET_OUTCOME
description: [The last, as a rescue says more than what it rescued.]
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Keeps the last failure that counted."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "outcome"
    _playbook = ""

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = Path(playbook._file_name).name  # noqa: SLF001 - there is no other way to it

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: FBT001, FBT002
        if not ignore_errors:
            self._write(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write(result)

    def _write(self, result: Any) -> None:
        said = result._result  # noqa: SLF001 - there is no other way to it
        failed = [each for each in said.get("results", []) if isinstance(each, dict) and each.get("failed")]
        text = next((_words(each) for each in (*failed, said) if each.get("msg")), "it did not say why")
        Path(os.environ["FACEFLEET_OUTCOME"]).write_text(f"{self._playbook}\n{text}")


def _words(said: dict[str, Any]) -> str:
    """Of a command that failed, its own last words: Ansible says only that it did."""
    own = str(said.get("stderr") or said.get("stdout") or "").strip().splitlines()
    return f"{said['msg']}: {own[-1]}" if said.get("rc") and own else str(said["msg"])
