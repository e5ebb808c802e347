"""The enrolment desk: who shows the right secret in time may ask for a certificate, once. Pure.

We know the hash of the secret only. That the request is not ours but the device's is told by its MAC, which
the control host checks before it signs: it knows the secret.
"""

import hmac
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facefleet.depot.order import Digest, first_fault
from facefleet.depot.refusal import RefusedError

CLOSED = (
    "no enrolment of that name is open with that secret, or its time is over: ask the operator for a new one "
    "(playbooks/enrol.yml)"
)
TAKEN = (
    "another request was made with this secret before: if it was not this device's, somebody else has the "
    "secret: tell the operator"
)


class DeskError(ValueError):
    """This is no enrolment or no application; the text says why."""


class Application(BaseModel):
    """What a device asks for at the desk."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: str = Field(max_length=16_384)
    """A signing request, PEM."""
    mac: Digest
    """Of that text, HMAC-SHA256 with the secret as key."""


class Enrolment(BaseModel):
    """A name that may be enrolled until a moment, and who came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_sha256: Digest
    expires: datetime
    application: Application | None = None
    heard: datetime | None = None

    def admit(self, shown: str, now: datetime) -> None:
        """Look at the secret's hash.

        Raises:
            RefusedError: it is another's, or too late. Strangers learn no more than that.
        """
        right = hmac.compare_digest(shown.encode(), self.secret_sha256.encode())
        if not right or now >= self.expires:
            raise RefusedError(403, CLOSED)

    def taking(self, application: Application, now: datetime) -> Self:
        """Return the enrolment with this application; with the one that it has it stays as it is.

        Raises:
            RefusedError: it has another.
        """
        if self.application is None:
            return self.model_copy(update={"application": application, "heard": now})
        if self.application != application:
            raise RefusedError(409, TAKEN)
        return self


def read_enrolment(text: bytes) -> Enrolment:
    """Read what was opened.

    Raises:
        DeskError: it is no enrolment.
    """
    try:
        enrolment = Enrolment.model_validate_json(text)
    except ValidationError as error:
        raise DeskError(first_fault(error)) from None
    if enrolment.expires.tzinfo is None:
        raise DeskError("expires: say the time zone, as 2026-12-01T08:00:00Z does")
    return enrolment


def read_application(text: bytes) -> Application:
    """Read what a device asks for.

    Raises:
        DeskError: it is no application.
    """
    try:
        return Application.model_validate_json(text)
    except ValidationError as error:
        raise DeskError(first_fault(error)) from None
