#!/usr/bin/python
"""Writes a bucket's lifecycle rules in one call.

`community.aws.s3_lifecycle` writes one rule a call, each time from what it reads: S3 may still show the
rules of before, and one is lost. It has no check mode either.
"""

from typing import Any

from ansible.module_utils.common.dict_transformations import recursive_diff
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = """
module: bucket_lifecycle
short_description: Write a bucket's lifecycle rules in one call
options:
  name: {description: The bucket, type: str, required: true}
  rules: {description: The rules in the words of the S3 API, type: list, elements: dict, required: true}
  prefix: {description: Rules whose ID begins otherwise stay as they are, type: str, required: true}
author: [Facefleet]
"""

Rule = dict[str, Any]


def read(client: Any, name: str) -> list[Rule]:
    """Return the rules of now."""
    try:
        rules: list[Rule] = client.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchLifecycleConfiguration":
            raise
        return []
    return rules


def by_id(rules: list[Rule]) -> dict[str, Rule]:
    """Return the rules by their IDs, as S3 keeps no order."""
    return {rule["ID"]: {**rule, "Filter": chosen_by(rule)} for rule in rules}


def chosen_by(rule: Rule) -> dict[str, Any]:
    """Return the filter without what chooses all."""
    return {name: value for name, value in rule.get("Filter", {}).items() if value}


def main() -> None:
    """Compare and write."""
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "rules": {"type": "list", "elements": "dict", "required": True},
            "prefix": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    name, prefix = module.params["name"], module.params["prefix"]
    try:
        client = module.client("s3")
        before = read(client, name)
        others = [rule for rule in before if not rule.get("ID", "").startswith(prefix)]
        after = others + module.params["rules"]
        difference = recursive_diff(by_id(before), by_id(after))
        if difference and not module.check_mode:
            client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": after})
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"The lifecycle of bucket {name} cannot be set")
    diff = {"before": by_id(before), "after": by_id(after)} if difference else {}
    module.exit_json(changed=bool(difference), diff=diff)


if __name__ == "__main__":
    main()
