"""Why a device stays behind fits into its status."""

from datetime import UTC, datetime

from facefleet.puller.memory import Failure
from facefleet.puller.words import WHY_MOST, Standing, after, short

NOW = datetime(2026, 11, 28, 21, tzinfo=UTC)
FAILED = """Release 0a1b of the edge stack of jetson-01 failed:
no receipt came within 20 s
The host is back at release 2c3d, which is healthy.
Its logs are in /var/cache/facefleet/pull/failed. Of them:
at=... level=error
"""


def test_of_a_release_that_failed_it_says_which_why_and_what_became_of_the_host() -> None:
    assert short(FAILED) == (
        "Release 0a1b of the edge stack of jetson-01 failed: no receipt came within 20 s "
        "The host is back at release 2c3d, which is healthy."
    )
    assert len(short("x" * 1000)) == WHY_MOST


def test_what_is_not_known_yet_is_null() -> None:
    said = Standing("", "2c3d", "waiting", "because").said(NOW)
    assert said == {
        "edition": None,
        "wants": "2c3d",
        "state": "waiting",
        "why": "because",
        "said": "2026-11-28T21:00:00Z",
    }


def test_it_says_when_it_tries_again() -> None:
    again = datetime(2026, 11, 28, 22, tzinfo=UTC).timestamp()
    assert (
        after(Failure(7, 1, "No receipt.", again))
        == "No receipt. Tried once, again after 2026-11-28T22:00:00Z."
    )
    assert "Tried 3 times" in after(Failure(7, 3, "No receipt.", again))
    long = after(Failure(7, 1, "x" * 1000, again))
    assert len(long) == WHY_MOST
    assert short(long) == long, "what is shown is cut once more"
    assert long.endswith("… Tried once, again after 2026-11-28T22:00:00Z.")
