"""Settings come from environment variables and are checked once, at start."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AnyUrl, BaseModel, BeforeValidator, ConfigDict, Field, UrlConstraints, ValidationError

from facefleet.runtime.identity import OURS, Identity

PREFIX = "FACEFLEET_"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A device, camera or bucket: one topic level and one part of an object key."""


def _number(value: object) -> object:
    """The environment holds text only."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Qos = Annotated[Literal[0, 1, 2], BeforeValidator(_number)]
BrokerUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["mqtt", "mqtts"], host_required=True)]
"""`mqtts` is mutual TLS."""


class SettingsError(Exception):
    """The environment holds an unknown, missing or impossible setting.

    Attributes:
        problems: one line for each, naming the variable and the remedy.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ServiceSettings(BaseModel):
    """What every service can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_file: str = "/run/facefleet/health.json"
    metrics_port: int = Field(default=9464, ge=0, le=65535)
    """TCP port of the Prometheus endpoint; 0 turns it off."""

    @property
    def identities(self) -> list[Identity]:
        """Return who we are to those who ask."""
        return []


class BrokerSettings(ServiceSettings):
    """What every service that talks to a broker can be told."""

    broker: BrokerUrl
    broker_ca: Path = OURS.ca
    broker_certificate: Path = OURS.certificate
    broker_key: Path = OURS.key
    """The three files (PEM) of `mqtts://`."""
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "face_detection"
    qos: Qos = 1

    @property
    def broker_identity(self) -> Identity | None:
        """Return who we are to the broker, if it asks."""
        if self.broker.scheme != "mqtts":
            return None
        return Identity(self.broker_ca, self.broker_certificate, self.broker_key)

    @property
    def identities(self) -> list[Identity]:
        """Return this one."""
        return [identity] if (identity := self.broker_identity) else []


S = TypeVar("S", bound=ServiceSettings)


def load(model: type[S], environ: Mapping[str, str]) -> S:
    """Read the model's settings from the variables that start with FACEFLEET_.

    Raises:
        SettingsError: with one line for each setting that is unknown, missing or impossible.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)
    }
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [
            _problem(str(fault["loc"][0]) if fault["loc"] else "", fault["type"], fault["msg"], given, model)
            for fault in error.errors()
        ]
        raise SettingsError(problems) from None


def _problem(
    name: str, kind: str, message: str, given: Mapping[str, str], model: type[ServiceSettings]
) -> str:
    variable = PREFIX + name.upper()
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(name, model.model_fields, n=1)
        hint = f"did you mean {PREFIX}{close[0].upper()}?" if close else "remove it"
        return f"{variable} is not a setting of this service: {hint}"
    if kind == "missing":
        return f"{variable} is missing: set it"
    if not name:
        return f"{message.removeprefix('Value error, ')}"
    return f"{variable}={given.get(name, '')!r} is impossible: {message.removeprefix('Value error, ')}"
