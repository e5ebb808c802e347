#!/usr/bin/python
"""Ask the kernel whether anything has set its clock right."""

# Runs on the hosts, with whatever Python they have: 3.8 on JetPack 5.
from __future__ import annotations

import ctypes
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: time_sync_clock
short_description: Tells whether the kernel's clock is synchronised
description:
  - Asks adjtimex(2), as the services do; changes nothing.
options:
  wait: {type: int, default: 0, description: Seconds to wait for it}
author: Facefleet
"""

RETURN = """
synchronised: {type: bool, returned: always, description: Whether something has set the clock right}
"""

_TIME_ERROR = 5
_TIMEX_BYTES = 512


def synchronised() -> bool:
    """Return whether the kernel calls its clock synchronised; with no modes set, it is only asked."""
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return bool(0 <= state != _TIME_ERROR)


def main() -> None:
    """Ask until it is, or time is up."""
    module = AnsibleModule(argument_spec={"wait": {"type": "int", "default": 0}}, supports_check_mode=True)
    until = time.monotonic() + module.params["wait"]
    while not (found := synchronised()) and time.monotonic() < until:
        time.sleep(1)
    module.exit_json(changed=False, synchronised=found)


if __name__ == "__main__":
    main()
