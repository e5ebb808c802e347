"""Runs the order's own playbooks against the host that we are on, just as the control host would by ssh."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from facefleet.puller.order import Order

CALLBACKS = Path(__file__).parent / "callbacks"
FAILED_LOGS_MOST = 5
_HOST_PYTHON = "auto_silent"
STACK, OPTIONS = "playbooks/edge.yml", "playbooks/prepared/options.yml"
"""The release itself, and what the host does besides: only the first has a gate, and a way back."""
LOCKED = "is being changed by"
"""So says the role `stack` when another has the lock."""


class Failed(Exception):  # noqa: N818 - the release did
    """The play failed; the text is what the task said."""


class Busy(Exception):  # noqa: N818 - no error: another run is at work
    """The stacks' lock is another's, and nothing was touched."""


class _Unsafe(str):
    """A text that Ansible must not take for a template."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    pass


_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def inventory(order: Order, image: str, failed_logs: Path) -> str:
    """Return an inventory of this one host, with the order's variables; nothing is built or brought."""
    host = {
        **order.variables,
        "images_ids": {each.ref: each.id for each in order.images},
        "edge_rollout": [1],
        "stack_lock_owner": "pull",
        "stack_failed_logs": str(failed_logs),
        "pull_running": image,
    }
    sites = {
        "control": {
            "hosts": {
                "localhost": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                    "ansible_remote_tmp": "/tmp/ansible",  # noqa: S108 - of the container alone
                }
            }
        },
        "edge": {
            "hosts": {
                order.device: {
                    **{name: _unsafe(value) for name, value in host.items()},
                    "ansible_connection": "community.docker.nsenter",
                    "ansible_python_interpreter": _HOST_PYTHON,
                    "ansible_become": False,
                }
            }
        },
    }
    text: str = yaml.dump({"all": {"children": sites}}, Dumper=_Dumper, sort_keys=True)
    return text


def _unsafe(value: Any) -> Any:
    if isinstance(value, str):
        return _Unsafe(value) if "{" in value else value
    if isinstance(value, Mapping):
        return {key: _unsafe(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_unsafe(each) for each in value]
    return value


def unpack(archive: Path, folder: Path) -> None:
    """Lay an order's playbooks into a folder of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")


def run(order: Order, playbooks: Path, work: Path, image: str, cache: Path) -> str:
    """Bring the host to the order's state; return what hinders it besides the release, which runs then.

    Raises:
        Failed: a task failed, and what it said.
        Busy: somebody else deploys to this host.
    """
    unpack(playbooks, work)
    failed_logs = cache / "failed"
    _keep_few(failed_logs)
    hosts, outcome = work / "hosts.yml", work / "outcome"
    hosts.write_text(inventory(order, image, failed_logs))
    hosts.chmod(0o600)
    environment = {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "LANG": "C.UTF-8",
        "HOME": "/root",
        "ANSIBLE_CONFIG": str(work / "ansible.cfg"),
        "ANSIBLE_HOME": "/tmp/ansible",  # noqa: S108 - of the container alone
        "ANSIBLE_LOCAL_TEMP": "/tmp/ansible",  # noqa: S108
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "ANSIBLE_COLLECTIONS_PATH": "/opt/python",
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "outcome",
        "ANSIBLE_NOCOLOR": "1",
        "FACEFLEET_OUTCOME": str(outcome),
    }
    command = [
        *(sys.executable, "-m", "ansible.cli.playbook", "-i", str(hosts)),
        *("-e", '{"inventory_is_checked": true}', "--limit", order.device),
        # An order that is older than this puller has no options.
        *(each for each in (STACK, OPTIONS) if (work / each).exists()),
    ]
    try:
        done = subprocess.run(command, cwd=work, env=environment, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
    finally:
        said = outcome.read_text() if outcome.exists() else ""
        shutil.rmtree(work, ignore_errors=True)  # the inventory may hold passwords of cameras
    if not done.returncode:
        return ""
    playbook, _, why = said.partition("\n")
    if playbook == Path(OPTIONS).name:
        return why
    if LOCKED in why:
        raise Busy(why)
    raise Failed(why or f"ansible-playbook ended with {done.returncode} and did not say why")


def _keep_few(logs: Path) -> None:
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in sorted(logs.iterdir(), key=lambda file: file.stat().st_mtime)[:-FAILED_LOGS_MOST]:
        old.unlink()
