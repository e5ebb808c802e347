"""The gallery's door and its pages, between a real broker and a real S3 server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from facefleet.gallery.people import hashed
from facefleet.gallery.throttle import FREE_TOGETHER

from tests.conftest import MakeEvent
from tests.integration.containers import Broker, S3Server
from tests.integration.gallery_site import PASSWORD, PERSON, Answer, GallerySite, Visitor, running
from tests.integration.waiting import await_until

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def site(
    broker: Broker, s3: S3Server, tmp_path_factory: pytest.TempPathFactory, make_event: MakeEvent
) -> Iterator[GallerySite]:
    yield from running(GallerySite(broker, s3, "gallery", tmp_path_factory.mktemp("gallery"), make_event))


@pytest.fixture
def visitor(site: GallerySite) -> Visitor:
    """Somebody who is signed in."""
    visitor = Visitor(site.url)
    assert visitor.sign_in().status == 303
    return visitor


def await_cards(visitor: Visitor, path: str, number: int) -> Answer:
    await_until(lambda: len(visitor.get(path).cards) == number, 15, f"{path} shows {number} visits")
    return visitor.get(path)


# --- the door ---


def test_who_is_not_signed_in_sees_nothing(site: GallerySite) -> None:
    events = site.visit("door-01", "hall", 1, NOON)
    site.store(*events)
    key = next(key for key in site.stored() if "door-01" in key)
    stranger = Visitor(site.url)
    answer = stranger.get("/")
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in")
    for path in (f"/face/{key}", f"/image/{key}", f"/thumbnail/{key}", "/live", "/fleet"):
        answer = stranger.get(path, Accept="*/*")
        assert answer.status == 401, path
        assert b"PNG" not in answer.body


def test_a_wrong_password_and_an_unknown_name_are_told_alike(site: GallerySite) -> None:
    answers = [
        Visitor(site.url).sign_in(name, "wrong wrong wrong") for name in ("berta", "nobody-of-that-name")
    ]
    site.people.write_text(site.people.read_text())
    assert [answer.status for answer in answers] == [403, 403]
    assert len({answer.text for answer in answers}) == 1
    assert "do not fit" in answers[0].text


def test_who_guesses_waits_longer_and_longer(site: GallerySite) -> None:
    guesser = Visitor(site.url)
    answers = [guesser.sign_in("carla", f"guess number {number}") for number in range(FREE_TOGETHER + 1)]
    assert [answer.status for answer in answers] == [403] * FREE_TOGETHER + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_a_form_from_elsewhere_is_refused(site: GallerySite, visitor: Visitor) -> None:
    for origin in ("http://evil.example", "null", ""):
        answer = Visitor(site.url).post("/sign-in", origin, name=PERSON, password=PASSWORD)
        assert answer.status == 403, origin
        assert "set-cookie" not in answer.headers
    assert visitor.post("/sign-out", token="somebody else's").status == 403
    assert visitor.get("/").status == 200


def test_who_signed_out_is_out(site: GallerySite, visitor: Visitor) -> None:
    token = visitor.get("/").text.split('name="token" value="')[1].split('"')[0]
    assert visitor.post("/sign-out", token=token).status == 303
    assert visitor.get("/").status == 303
    assert "do not fit" not in Visitor(site.url).get("/sign-in").text


def test_who_is_taken_off_the_list_or_has_another_password_is_out(
    site: GallerySite, visitor: Visitor
) -> None:
    said = site.people.read_text()
    try:
        for people in ({}, {PERSON: hashed("another password")}):
            assert visitor.get("/").status == 200
            site.people.write_text(json.dumps(people))
            assert visitor.get("/").status == 303
            site.people.write_text(said)
    finally:
        site.people.write_text(said)


def test_each_answer_forbids_what_no_page_of_ours_does(site: GallerySite, visitor: Visitor) -> None:
    for answer in (visitor.get("/"), visitor.get("/static/gallery.js"), Visitor(site.url).get("/sign-in")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert visitor.get("/").headers["cache-control"] == "no-store"
    cookie = Visitor(site.url).sign_in().headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


# --- the faces ---


def test_a_visit_is_one_card_with_its_best_picture(site: GallerySite, visitor: Visitor) -> None:
    site.store(*site.visit("best-01", "gate", 4, NOON, pictures=3, best=1))
    answer = await_cards(visitor, "/?device=best-01", 1)
    assert "20261120T120003" in answer.cards[0]
    assert "3 pictures" in answer.text


def test_filters_by_camera_day_and_hour(site: GallerySite, visitor: Visitor) -> None:
    for number, (camera, at) in enumerate(
        [
            ("gate", NOON),
            ("gate", NOON + timedelta(hours=1)),
            ("yard", NOON),
            ("gate", NOON - timedelta(days=1)),
        ]
    ):
        site.store(*site.visit("filter-01", camera, 10 + number, at))
    await_cards(visitor, "/?device=filter-01", 4)
    for query, number in (
        ("camera=gate", 3),
        ("camera=yard", 1),
        ("day=2026-11-20", 3),
        ("day=2026-11-20&hour=13", 1),
        ("camera=gate&day=2026-11-19", 1),
        ("day=2026-11-18", 0),
    ):
        assert len(visitor.get(f"/?device=filter-01&{query}").cards) == number, query
    hours = visitor.get("/?device=filter-01&day=2026-11-20").text
    assert "Nov 20, 12:00: 4 faces" in hours
    assert "Nov 20, 13:00: 2 faces" in hours


def test_pages_go_back_in_time_without_a_gap(site: GallerySite, visitor: Visitor) -> None:
    events = [
        event
        for number in range(70)
        for event in site.visit("many-01", "gate", number, NOON + timedelta(minutes=number), pictures=1)
    ]
    site.store(*events)
    first = await_cards(visitor, "/?device=many-01", 60)
    older = first.text.split('id="older" class="button" href="')[1].split('"')[0].replace("&amp;", "&")
    second = visitor.get(older)
    assert len(second.cards) == 10
    assert sorted(first.cards + second.cards) == sorted(key for key in site.stored() if "many-01" in key)
    assert 'id="older"' not in second.text


def test_a_face_that_comes_before_the_page_s_stream_is_in_the_stream(
    site: GallerySite, visitor: Visitor
) -> None:
    page = visitor.get("/?device=soon-01").text
    stream = page.split('data-live="')[1].split('"')[0].replace("&amp;", "&")
    (face,) = site.visit("soon-01", "gate", 1, NOON, pictures=1)
    site.store(face)
    await_cards(visitor, "/?device=soon-01", 1)
    mark, card = visitor.first_event(stream)
    assert "soon-01/gate" in card
    site.store(*site.visit("soon-01", "yard", 2, NOON, pictures=1))
    assert "soon-01/yard" in visitor.first_event(stream, **{"Last-Event-ID": mark})[1]


def test_an_address_that_asks_for_what_cannot_be_is_answered_in_words(visitor: Visitor) -> None:
    for query in ("day=yesterday", "day=2026-13-01", "day=2026-11-20&hour=24", "before=soon"):
        answer = visitor.get(f"/?{query}")
        assert answer.status == 400, query
        assert "asks for what cannot be" in answer.text
    assert visitor.get("/face/faces/no/such/2026/11/20/thing.png").status == 404
    assert visitor.get("/image/dead-letter/x").status == 404


def test_what_was_deleted_is_not_shown_any_more(site: GallerySite, visitor: Visitor) -> None:
    site.store(*site.visit("gone-01", "gate", 1, NOON, pictures=1))
    (key,) = await_cards(visitor, "/?device=gone-01", 1).cards
    assert visitor.get(f"/thumbnail/{key}").status == 200
    site.s3.client("admin").delete_object(Bucket="gallery", Key=key)
    assert visitor.get(f"/image/{key}").status == 404
    assert visitor.get("/?device=gone-01").cards == []
    assert visitor.get(f"/thumbnail/{key}").status == 404


def test_a_new_index_finds_all_again_and_what_was_missed(site: GallerySite, visitor: Visitor) -> None:
    site.store(*site.visit("again-01", "gate", 7, NOON, pictures=3, best=2))
    await_cards(visitor, "/?device=again-01", 1)
    site.gallery.stop()
    for file in site.state.glob("index.db*"):
        file.write_bytes(b"no database")
    site.store(*site.visit("again-01", "yard", 8, NOON, pictures=2))
    site.gallery.start()
    site.gallery.await_healthy()
    answer = await_cards(visitor, "/?device=again-01", 2)
    assert "3 pictures" in answer.text


def test_the_gallery_may_read_and_nothing_else(site: GallerySite) -> None:
    reader = site.s3.client("gallery")
    with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
        reader.put_object(Bucket="gallery", Key="faces/x", Body=b"x")
    with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
        reader.delete_object(Bucket="gallery", Key="faces/x")


def test_nobody_is_let_in_while_there_is_no_list(site: GallerySite) -> None:
    said = site.people.read_text()
    try:
        site.people.unlink()
        assert "gallery_user.yml" in Visitor(site.url).get("/sign-in").text
        assert Visitor(site.url).sign_in().status == 403
        site.people.write_text("{")
        assert Visitor(site.url).sign_in().status == 503
    finally:
        site.people.write_text(said)


def test_a_bucket_that_cannot_be_read_is_said_on_the_page(
    broker: Broker, s3: S3Server, tmp_path: Path, make_event: MakeEvent
) -> None:
    other = GallerySite(broker, s3, "late", tmp_path, make_event)  # where its key may nothing
    try:
        other.gallery.start()
        other.gallery.await_healthy()
        visitor = Visitor(other.url)
        visitor.sign_in()
        await_until(lambda: "AccessDenied: let the gallery" in visitor.get("/").text, 10)
    finally:
        other.close()
