#!/usr/bin/python
"""Reads the ssh host keys that cloud-init printed on an instance's console.

Source: cloud-init, module "Keys to Console"; EC2 API reference, GetConsoleOutput.
"""

import re

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
module: instance_host_keys
short_description: Read the ssh host keys from an instance's console
options:
  instance_id: {description: The instance, type: str, required: true}
author: [Facefleet]
"""

BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/]+={0,3}(?=\s|$)")


def keys_in(console: str) -> list[str]:
    """Return the keys of the last whole block, or none."""
    blocks = BLOCK.findall(console)
    return sorted(set(KEY.findall(blocks[-1]))) if blocks else []


def main() -> None:
    """Read the console; it may be minutes behind."""
    module = AnsibleAWSModule(
        argument_spec={"instance_id": {"type": "str", "required": True}}, supports_check_mode=True
    )
    asked = {"InstanceId": module.params["instance_id"]}
    try:
        client = module.client("ec2")
        try:
            said = client.get_console_output(**asked, Latest=True)
        except ClientError as error:
            if error.response["Error"]["Code"] != "UnsupportedOperation":  # instances before Nitro
                raise
            said = client.get_console_output(**asked)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"The console of {asked['InstanceId']} cannot be read")
    console = said.get("Output", "")  # botocore decodes it
    module.exit_json(changed=False, host_keys=keys_in(console))


if __name__ == "__main__":
    main()
