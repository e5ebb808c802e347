"""The enrolment desk."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from facefleet.depot.desk import Application, DeskError, Enrolment, read_application, read_enrolment
from facefleet.depot.refusal import RefusedError

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
SECRET = hashlib.sha256(b"secret").hexdigest()
OPEN = Enrolment(secret_sha256=SECRET, expires=NOW + timedelta(hours=1))
FIRST, SECOND = (Application(request=name, mac="0" * 64) for name in ("first", "second"))


def test_the_right_secret_in_time_is_let_in() -> None:
    OPEN.admit(SECRET, NOW)
    OPEN.admit(SECRET, OPEN.expires - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("shown", "at"), [("", NOW), ("é", NOW), (SECRET.upper(), NOW), ("0" * 64, NOW), (SECRET, OPEN.expires)]
)
def test_another_or_a_late_one_is_refused_alike(shown: str, at: datetime) -> None:
    with pytest.raises(RefusedError, match="no enrolment of that name is open with that secret") as refused:
        OPEN.admit(shown, at)
    assert refused.value.status == 403


def test_the_first_application_counts_and_the_same_one_again_is_fine() -> None:
    taken = OPEN.taking(FIRST, NOW)
    assert (taken.application, taken.heard) == (FIRST, NOW)
    assert taken.taking(FIRST, NOW + timedelta(minutes=1)) is taken
    with pytest.raises(RefusedError) as refused:
        taken.taking(SECOND, NOW)
    assert refused.value.status == 409
    assert read_enrolment(taken.model_dump_json().encode()) == taken


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"{}", "secret_sha256: Field required"),
        (b'{"secret_sha256": "x", "expires": "2026-12-01T08:00:00Z"}', "secret_sha256: String should match"),
        (f'{{"secret_sha256": "{SECRET}", "expires": "2026-12-01T08:00:00"}}'.encode(), "say the time zone"),
        (f'{{"secret_sha256": "{SECRET}", "expires": "2026-12-01T08:00:00Z", "secret": "x"}}'.encode(),
         "secret: Extra inputs"),
    ],
)  # fmt: skip
def test_what_is_no_enrolment_is_refused_in_words(text: bytes, complaint: str) -> None:
    with pytest.raises(DeskError, match=complaint):
        read_enrolment(text)


def test_an_application_has_a_bound_and_its_content_is_in_no_message() -> None:
    for request, mac in (("x" * 20_000, "0" * 64), ("x", "hidden")):
        with pytest.raises(DeskError) as refused:
            read_application(f'{{"request": "{request}", "mac": "{mac}"}}'.encode())
        assert "hidden" not in str(refused.value)
        assert len(str(refused.value)) < 200
