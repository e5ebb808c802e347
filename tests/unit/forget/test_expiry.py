"""What has been in the bucket for too long, and where one must look for it."""

from datetime import UTC, datetime, timedelta

from facefleet.forget.expiry import Expiry
from facefleet.forget.keeper import KeeperSettings
from facefleet.forget.selection import Reach
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def key_of(time: datetime) -> str:
    return f"faces/a/b/{time:%Y/%m/%d}/{time:%Y%m%dT%H%M%S}.000Z-0a.png"


@given(
    days=st.integers(1, 800),
    delay=st.integers(0, 24 * 900).map(lambda hours: hours * HOUR),
    in_bucket=st.integers(0, 24 * 900).map(lambda hours: hours * HOUR),
    ahead=st.sampled_from([timedelta(0), timedelta(days=4_000)]),
)
def test_whatever_has_been_there_for_too_long_is_found(
    days: int, delay: timedelta, in_bucket: timedelta, ahead: timedelta
) -> None:
    """However late it came, and however far ahead the camera's clock was."""
    expiry = Expiry("faces", NOW - timedelta(days=days), NOW)
    modified = NOW - in_bucket
    key = key_of(modified - delay + ahead)
    folders = [key[: at + 1] for at, letter in enumerate(key) if letter == "/"]
    found = expiry.means(key, modified) and all(expiry.reach(folder) is not Reach.NONE for folder in folders)
    assert found == (in_bucket > timedelta(days=days))


def test_the_days_since_then_need_no_look() -> None:
    expiry = Expiry("faces", NOW - timedelta(days=30), NOW)
    looked_at = {
        day: expiry.reach(f"faces/a/b/{day}/") is Reach.SOME
        for day in (
            "2025",
            "2026",
            "2026/09",
            "2026/10/26",
            "2026/10/27",
            "2026/11/25",
            "2026/11/27",
            "1970/01/01",
        )
    }
    assert [day for day, is_looked_at in looked_at.items() if not is_looked_at] == [
        "2026/10/27",
        "2026/11/25",
    ]


def test_only_its_own_area_is_meant() -> None:
    expiry = Expiry("probes", NOW, NOW)
    assert expiry.means("probes/a/x.png", NOW - HOUR)
    assert not expiry.means("faces/a/b/x.png", NOW - HOUR)
    assert expiry.reach("faces/a/") is Reach.NONE


def test_an_area_without_days_is_kept() -> None:
    settings = KeeperSettings.model_validate({"bucket": "faces", "faces_days": 30, "probes_days": 1})
    assert [(each.area, NOW - each.before) for each in settings.expiries(NOW)] == [
        ("faces", timedelta(days=30)),
        ("probes", timedelta(days=1)),
    ]
