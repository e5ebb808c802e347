"""The instance metadata service, as an instance that requires tokens (IMDSv2) sees it.

Source: EC2 user guide, "Use the Instance Metadata Service to access instance metadata".
"""

import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, sts_backends
from werkzeug.wrappers import Request, Response

TOKEN = "/latest/api/token"
DATA = "/latest/meta-data/"
PREFIXES = (TOKEN, DATA)

_TTL_MOST_S = 21600
_KEYS_LAST_S = 6 * 3600
_REFRESH_BEFORE = timedelta(minutes=15)


class Metadata:
    """Answers for the newest running instance, with real temporary keys of its role."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._tokens: dict[str, float] = {}
        self._keys: dict[str, AssumedRole] = {}

    def answer(self, request: Request) -> Response:
        """Answer a request below `/latest/`."""
        if request.path == TOKEN:
            return self._token(request)
        if self._tokens.get(request.headers.get("X-aws-ec2-metadata-token", ""), 0) < time.monotonic():
            return Response(status=401)
        instance = self._instance()
        if instance is None:
            return Response(status=404)
        body = self._look_up(instance, request.path.removeprefix(DATA))
        return Response(status=404) if body is None else Response(body, content_type="text/plain")

    def _token(self, request: Request) -> Response:
        asked = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if request.method != "PUT" or "X-Forwarded-For" in request.headers:
            return Response(status=403)
        if not asked.isdigit() or not 1 <= int(asked) <= _TTL_MOST_S:
            return Response(status=400)
        token = secrets.token_urlsafe(32)
        self._tokens[token] = time.monotonic() + int(asked)
        return Response(token, headers={"X-aws-ec2-metadata-token-ttl-seconds": asked})

    def _instance(self) -> Any:
        instances = [
            instance
            for reservation in ec2_backends[DEFAULT_ACCOUNT_ID][self._region].reservations.values()
            for instance in reservation.instances
            if instance.state == "running"
        ]
        return max(instances, key=lambda instance: instance.launch_time, default=None)

    def _look_up(self, instance: Any, path: str) -> str | None:
        role = self._role(instance)
        base = "iam/security-credentials"
        found: dict[str, str | None] = {
            "instance-id": instance.id,
            "instance-type": instance.instance_type,
            "local-ipv4": instance.private_ip,
            "public-ipv4": instance.public_ip,
            "placement/region": self._region,
        }
        if role:
            found[f"{base}/"] = found[base] = role.name
            if path == f"{base}/{role.name}":
                return self._credentials(role.arn)
        return found.get(path)

    def _role(self, instance: Any) -> Any:
        associations = ec2_backends[DEFAULT_ACCOUNT_ID][self._region].iam_instance_profile_associations
        for association in associations.values():
            if association.instance.id == instance.id:
                name = association.iam_instance_profile.name
                profile = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_instance_profile(name)
                return next(iter(profile.roles), None)
        return None

    def _credentials(self, arn: str) -> str:
        keys = self._keys.get(arn)
        if keys is None or _aware(keys.expiration) - datetime.now(UTC) < _REFRESH_BEFORE:
            keys = self._keys[arn] = sts_backends[DEFAULT_ACCOUNT_ID]["aws"].assume_role(
                region_name=self._region,
                role_session_name="i-launcher",
                role_arn=arn,
                policy="",
                duration=_KEYS_LAST_S,
                external_id="",
            )
        return json.dumps({
            "Code": "Success",
            "LastUpdated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Type": "AWS-HMAC",
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "Token": keys.session_token,
            "Expiration": keys.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        })  # fmt: skip


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=UTC)
