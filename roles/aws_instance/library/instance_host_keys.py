#!/usr/bin/python
"""Reads the ssh host keys that cloud-init printed on an instance's console.

Source: cloud-init, module "Keys to Console"; EC2 API reference, GetConsoleOutput.
"""

import re
import time
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
module: instance_host_keys
short_description: Read the ssh host keys from an instance's console
options:
  instance_id: {description: The instance, type: str, required: true}
  wait_s: {description: Seconds to wait for them, type: int, default: 0}
author: [Facefleet]
"""

LOOK_EVERY_S = 10
BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]+={0,3}(?=\s|$)")


def keys_in(console: str) -> list[str]:
    """Return the keys of the last whole block, or none."""
    blocks = BLOCK.findall(console)
    return sorted(set(KEY.findall(blocks[-1]))) if blocks else []


def console_of(client: Any, instance_id: str) -> str:
    """Return what the instance printed, as far as EC2 knows."""
    try:
        said = client.get_console_output(InstanceId=instance_id, Latest=True)
    except ClientError as error:
        if error.response["Error"]["Code"] != "UnsupportedOperation":  # instances before Nitro
            raise
        said = client.get_console_output(InstanceId=instance_id)
    return str(said.get("Output", ""))  # botocore decodes it


def main() -> None:
    """Read the console, which may be minutes behind, until it shows keys."""
    module = AnsibleAWSModule(
        argument_spec={
            "instance_id": {"type": "str", "required": True},
            "wait_s": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    instance_id = module.params["instance_id"]
    deadline = time.monotonic() + module.params["wait_s"]
    try:
        client = module.client("ec2")
        while not (keys := keys_in(console_of(client, instance_id))):
            if module.check_mode or time.monotonic() + LOOK_EVERY_S > deadline:
                break
            time.sleep(LOOK_EVERY_S)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"The console of {instance_id} cannot be read")
    module.exit_json(changed=False, host_keys=keys)


if __name__ == "__main__":
    main()
