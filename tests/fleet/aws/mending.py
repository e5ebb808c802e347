"""What moto does otherwise than AWS, and matters here.

Source: moto 5.2.5 read beside the API references of EC2, IAM and S3.
"""

import base64
import contextvars
import copy
import fnmatch
import hashlib
import json
import random
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models import elastic_ip_addresses as eip_models
from moto.ec2.models.amis import Ami
from moto.ec2.responses import general
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE
from moto.iam.access_control import IAMPolicyStatement, IAMRequestBase, PermissionResult
from moto.s3 import models
from moto.s3.exceptions import BucketAccessDeniedError, S3ClientError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

SECURE: contextvars.ContextVar[bool] = contextvars.ContextVar("secure", default=True)
"""Whether the request of now came over TLS, as far as policies are told."""
LISTED: contextvars.ContextVar[str] = contextvars.ContextVar("listed", default="")
"""The prefix that it lists."""


def mend(region: str, host_keys: list[str], addresses: list[str]) -> None:
    """Mend the faults; each instance's console shows the host keys, elastic IPs are the addresses in turn."""
    EC2_PREFIX_TO_RESOURCE["eipalloc"] = "elastic-ip"  # else an address's tags are never found again
    _evaluate_conditions()
    _trust_roles()
    _answer_denials_of_the_bucket()
    _check_digests()
    _list_without_the_contents()
    show_on_the_console(host_keys)
    _hand_out(addresses, region)


def add_images(images: list[dict[str, Any]], region: str) -> None:
    """Publish images, as their owners do from time to time."""
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][region]
    for image in images:
        created = datetime.fromisoformat(image["creation_date"])
        backend.amis[image["ami_id"]] = Ami(backend, **{**image, "creation_date": created})


def _evaluate_conditions() -> None:
    """Moto takes a condition that it does not know for a denial, whatever the statement's effect."""
    unmended = IAMPolicyStatement.is_action_permitted

    def permitted(self: IAMPolicyStatement, *arguments: Any, **named: Any) -> PermissionResult:
        conditions = dict(self._statement.get("Condition") or {})
        for key, wanted in conditions.pop("Bool", {}).items():
            if key != "aws:SecureTransport":
                raise NotImplementedError(f"condition Bool on {key}")
            if (str(wanted).lower() == "true") is not SECURE.get():
                return PermissionResult.NEUTRAL
        for key, pattern in conditions.pop("StringLike", {}).items():
            if key != "s3:prefix":
                raise NotImplementedError(f"condition StringLike on {key}")
            if not fnmatch.fnmatchcase(LISTED.get(), pattern):
                return PermissionResult.NEUTRAL
        statement = {**self._statement, "Condition": conditions}
        return unmended(IAMPolicyStatement(statement), *arguments, **named)

    IAMPolicyStatement.is_action_permitted = permitted  # type: ignore[method-assign]


def _trust_roles() -> None:
    """Moto knows no principal but `*` in a trust policy."""

    def trusted(self: IAMRequestBase, role_arn: str) -> bool:
        key: Any = self._access_key
        caller = f"arn:{key.partition}:iam::{key.account_id}:role/{getattr(key, '_owner_role_name', '')}"
        trust = json.loads(key.backend.get_role_by_arn(role_arn).assume_role_policy_document)
        return any(
            (each["Effect"], each["Action"], each["Principal"].get("AWS")) == ("Allow", self._action, caller)
            for each in trust["Statement"]
        )

    IAMRequestBase._check_role_trust_relationship = trusted  # type: ignore[method-assign]


def _answer_denials_of_the_bucket() -> None:
    """Moto answers them with an empty body, AWS with a code."""
    unmended = FakeBucket.get_permission

    def permission(self: FakeBucket, action: str, resource: str) -> Any:
        found = unmended(self, action, resource)
        if found == PermissionResult.DENIED:
            raise BucketAccessDeniedError(bucket=self.name)
        return found

    FakeBucket.get_permission = permission  # type: ignore[method-assign]


def _check_digests() -> None:
    unmended = S3Response.put_object

    def put_object(self: S3Response) -> Any:
        given = self.headers.get("x-amz-checksum-sha256")
        if given and given != base64.b64encode(hashlib.sha256(self.body or b"").digest()).decode():
            raise S3ClientError(
                "BadDigest", "The SHA256 you specified did not match the calculated checksum."
            )
        return unmended(self)

    S3Response.put_object = put_object  # type: ignore[method-assign]


def _list_without_the_contents() -> None:
    """Moto copies each object of the bucket, content and all, for each page of its versions: gigabytes."""

    def themselves(versions: list[Any]) -> list[Any]:
        return versions  # all that a listing changes in them is which one is the latest

    models.copy = SimpleNamespace(copy=copy.copy, deepcopy=themselves)  # type: ignore[assignment, attr-defined]


def show_on_the_console(host_keys: list[str]) -> None:
    """Show what cloud-init prints at the first boot (its keys_to_console); without keys, a kernel's line."""
    if not host_keys:
        general.SAMPLE_CONSOLE_OUTPUT = "[    0.000000] Linux version 6.12.48+deb13-cloud-amd64\r\n"
        return
    prints = [
        "256 SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key.split()[1])).digest()).decode()
        for key in host_keys
    ]
    general.SAMPLE_CONSOLE_OUTPUT = "\r\n".join([
        "[    4.201] cloud-init[611]: Cloud-init v. 25.1.4 running 'modules:final'",
        *(f"<14>cloud-init: {line}" for line in ("-----BEGIN SSH HOST KEY FINGERPRINTS-----", *prints,
                                                "-----END SSH HOST KEY FINGERPRINTS-----")),
        "-----BEGIN SSH HOST KEY KEYS-----",
        *host_keys,
        "-----END SSH HOST KEY KEYS-----",
        "[    4.702] cloud-init[611]: Cloud-init v. 25.1.4 finished",
        "",
    ])  # fmt: skip


def _hand_out(addresses: list[str], region: str) -> None:
    """Elastic IPs that somebody listens on, those that are free; else moto's own in 127/8."""

    def address() -> str:
        taken = {each.public_ip for each in ec2_backends[DEFAULT_ACCOUNT_ID][region].addresses}
        unmended = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
        return next((each for each in addresses if each not in taken), unmended)

    eip_models.random_ip = address  # type: ignore[attr-defined]


def parse_images(text: str) -> list[dict[str, Any]]:
    """Return the images of a file in moto's form."""
    images: list[dict[str, Any]] = json.loads(text)
    return images
