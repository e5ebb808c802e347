"""How a device stands, in words: for the depot, and for who looks at the device."""

from datetime import UTC, datetime
from typing import Literal, NamedTuple

from facefleet.puller.memory import Failure
from facefleet.runtime.moment import iso

State = Literal["fetching", "applying", "ok", "failed", "waiting"]
WHY_MOST = 300
_LINES_MOST = 3
"""Of what a release that failed said: which one, why, and what became of the host."""


class Standing(NamedTuple):
    """What it runs, what it wants, and why it stays behind."""

    edition: str
    wants: str
    state: State
    why: str = ""

    def said(self, now: datetime | None = None) -> dict[str, str | None]:
        """Return it as it is shown."""
        return {
            **self._asdict(),
            "edition": self.edition or None,
            "wants": self.wants or None,
            "why": short(self.why),
            "said": iso(now or datetime.now(UTC)),
        }


def short(why: str, most: int = WHY_MOST) -> str:
    """Return the lines of a reason that matter as one, cut."""
    line = " ".join(each.strip() for each in why.strip().splitlines()[:_LINES_MOST])
    return line if len(line) <= most else line[: most - 1] + "…"


def after(failure: Failure) -> str:
    """Return why a failed order is not tried now."""
    again = iso(datetime.fromtimestamp(failure.again_at, UTC))
    times = "once" if failure.tries == 1 else f"{failure.tries} times"
    when = f" Tried {times}, again after {again}."
    # The reason is cut, not this: it stands nowhere else.
    return short(failure.why, WHY_MOST - len(when)) + when
