"""What a device says of its updates, and what of that is kept. Pure."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from facefleet.depot.order import Edition, first_fault

EDITIONS_KEPT = 16
"""The verdicts on as many editions are kept of each device."""

WHY_MOST = 4000

State = Literal["fetching", "applying", "ok", "failed", "waiting"]


class ReportError(ValueError):
    """This is no report; the text says why."""


def _cut(value: object) -> object:
    """A device whose reason is long must still be heard."""
    return value[:WHY_MOST] if isinstance(value, str) else value


class Report(BaseModel):
    """What a device said last. What a newer puller says besides is not kept."""

    model_config = ConfigDict(frozen=True)

    edition: Edition | None
    """What it runs."""
    wants: Edition | None
    """What it was last ordered."""
    state: State
    why: Annotated[str, BeforeValidator(_cut)] = ""
    release: Annotated[str, Field(max_length=200)] | None = None
    said: Annotated[str, Field(max_length=40)]
    """By its own clock, which may be wrong."""


class Verdict(BaseModel):
    """When a device first said of an edition that it runs well, or that it does not; by our clock."""

    model_config = ConfigDict(frozen=True)

    ok: datetime | None = None
    failed: datetime | None = None

    @property
    def latest(self) -> datetime:
        """Return when it was last given."""
        return max(moment for moment in (self.ok, self.failed) if moment)


class Standing(BaseModel):
    """How a device stands, as far as it said."""

    model_config = ConfigDict(frozen=True)

    report: Report
    heard: datetime
    editions: dict[str, Verdict] = {}

    def after(self, report: Report, now: datetime) -> Self:
        """Return how it stands after another report.

        A device that runs an edition well and fails at it later has failed at it, and one that failed has
        failed, whatever it says later: a later edition is another matter.
        """
        editions = dict(self.editions)
        if report.state == "ok" and report.edition:
            before = editions.get(report.edition, Verdict())
            editions[report.edition] = Verdict(ok=before.ok or now, failed=before.failed)
        elif report.state == "failed" and report.wants:
            before = editions.get(report.wants, Verdict())
            editions[report.wants] = Verdict(ok=before.ok, failed=before.failed or now)
        newest = sorted(editions.items(), key=lambda item: item[1].latest)[-EDITIONS_KEPT:]
        return self.model_copy(update={"report": report, "heard": now, "editions": dict(newest)})

    def says_more_than(self, other: "Standing") -> bool:
        """Say whether it is worth another write: a device says that all is well again and again."""
        said = other.report.said
        return (
            self.editions != other.editions or self.report.model_copy(update={"said": said}) != other.report
        )


def first_word(report: Report, now: datetime) -> Standing:
    """Return how a device stands that has said nothing before."""
    return Standing(report=report, heard=now).after(report, now)


def read_report(text: bytes) -> Report:
    """Read what a device says.

    Raises:
        ReportError: it is no report.
    """
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        raise ReportError(first_fault(error)) from None
