"""Who is let in, for how long, and how often one may guess."""

import json
from pathlib import Path

import pytest
from facefleet.gallery.people import People, PeopleError, hashed, verified
from facefleet.gallery.sessions import Sessions
from facefleet.gallery.throttle import FREE_APART, FREE_TOGETHER, WAIT_FIRST_S, WAIT_MOST_S, Throttle

PASSWORD = "correct horse"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_hash_fits_its_password_alone_and_is_never_the_same() -> None:
    line = hashed(PASSWORD)
    assert verified(PASSWORD, line)
    assert not verified(PASSWORD + " ", line)
    assert hashed(PASSWORD) != line
    assert PASSWORD not in line


@pytest.mark.parametrize("line", ["", "x", "scrypt$1$2$3$4", "md5$32768$8$1$AAAA$AAAA", "scrypt$a$b$c$d$e"])
def test_a_damaged_hash_fits_nothing(line: str) -> None:
    assert not verified("", line)


def test_a_short_password_is_refused() -> None:
    with pytest.raises(ValueError, match="10 characters"):
        hashed("too short")


def test_people_come_and_go_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    people = People(file)
    assert not people.right("anna", PASSWORD)
    file.write_text(json.dumps({"anna": hashed(PASSWORD)}))
    assert people.right("anna", PASSWORD)
    assert not people.right("berta", PASSWORD)
    stamp = people.stamp("anna")
    assert stamp
    file.write_text(json.dumps({"anna": hashed(PASSWORD)}))
    assert people.stamp("anna") not in {"", stamp}
    file.write_text("[]")
    with pytest.raises(PeopleError, match="gallery_user"):
        people.right("anna", PASSWORD)
    assert people.stamp("anna") == ""


def test_a_session_lasts_its_hours_over_a_restart_and_ends_when_told(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(tmp_path / "sessions.db", 1, clock)
    token, other = sessions.begin("anna", "stamp"), sessions.begin("anna", "stamp")
    sessions.close()
    assert token.encode() not in (tmp_path / "sessions.db").read_bytes()
    sessions = Sessions(tmp_path / "sessions.db", 1, clock)
    found = sessions.of(token)
    assert found
    assert (found.person, found.stamp) == ("anna", "stamp")
    sessions.end(other)
    assert sessions.of(other) is None
    assert sessions.of("guessed") is None
    clock.now += 3601
    assert sessions.of(token) is None
    sessions.close()


def test_waits_double_up_to_a_bound_and_end_with_the_right_password() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(FREE_TOGETHER + 12):
        waits.append(throttle.wait_s("anna", "here"))
        clock.now += waits[-1]
        throttle.failed("anna", "here")
    assert waits[: FREE_TOGETHER + 3] == [0.0] * FREE_TOGETHER + [
        WAIT_FIRST_S,
        2 * WAIT_FIRST_S,
        4 * WAIT_FIRST_S,
    ]
    assert throttle.wait_s("anna", "here") == WAIT_MOST_S
    throttle.passed("anna", "here")
    assert throttle.wait_s("anna", "here") == 0.0


def test_a_guesser_shuts_out_neither_other_names_nor_other_addresses_soon() -> None:
    throttle = Throttle(Clock())
    for _ in range(FREE_APART - 1):
        throttle.failed("anna", "there")
    assert throttle.wait_s("anna", "there")
    assert throttle.wait_s("anna", "here") == 0.0
    assert throttle.wait_s("berta", "there") == 0.0
    throttle.failed("anna", "there")
    assert throttle.wait_s("anna", "here")
    assert throttle.wait_s("berta", "there")
