"""The gallery in a real browser: what a person does, on a desk and on a phone."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from facefleet.messaging import topics
from selenium.webdriver.common.keys import Keys

from tests.conftest import MakeEvent
from tests.integration.browser import PHONE, Browser, opened
from tests.integration.conftest import MakeLink
from tests.integration.containers import Broker, S3Server
from tests.integration.gallery_site import PASSWORD, PERSON, GallerySite, running
from tests.integration.waiting import await_until

SHOTS = Path(os.environ.get("FACEFLEET_SCREENSHOTS", ".cache/screenshots"))
"""`FACEFLEET_SCREENSHOTS=docs` renews those of the documents."""
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def site(
    broker: Broker, s3: S3Server, tmp_path_factory: pytest.TempPathFactory, make_event: MakeEvent
) -> Iterator[GallerySite]:
    yield from running(GallerySite(broker, s3, "browser", tmp_path_factory.mktemp("gallery"), make_event))


@pytest.fixture(scope="module")
def browser(site: GallerySite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Signed in, at the newest faces of three cameras."""
    for number, (device, camera) in enumerate(
        [("front-gate", "left"), ("front-gate", "right"), ("depot", "ramp")] * 5
    ):
        site.store(
            *site.visit(
                device, camera, number, NOW - timedelta(minutes=47 * number + 9), pictures=2 + number % 2
            )
        )
    yield from opened(tmp_path_factory.mktemp("browser"), site.url)


def sign_in(browser: Browser, password: str = PASSWORD) -> None:
    browser.open("/sign-in")
    browser.one("input[name=name]").send_keys(PERSON)
    browser.one("input[name=password]").send_keys(password)
    browser.send(".door button")


def test_a_wrong_password_stays_outside_and_the_right_one_comes_in(browser: Browser) -> None:
    browser.open("/")
    assert browser.path == "/sign-in"
    assert browser.faults() == []
    sign_in(browser, "wrong wrong wrong")
    browser.await_text("do not fit")
    sign_in(browser)
    browser.await_text("New faces appear here")
    assert len(browser.all("#cards .card")) == 15
    assert browser.faults() == []
    browser.shoot(SHOTS / "gallery.png")


def test_a_picture_that_did_not_come_is_asked_for_again(browser: Browser) -> None:
    sign_in(browser)
    with browser.without("*/thumbnail/*"):
        browser.open("/")
        await_until(lambda: any(each.startswith("broken") for each in browser.missing()), 10, "they fail")
    browser.await_pictures()


def test_a_face_appears_as_it_comes(site: GallerySite, browser: Browser) -> None:
    sign_in(browser)
    before = len(browser.all("#cards .card"))
    first, second = site.visit("depot", "ramp", 900, NOW)
    site.store(first)
    browser.await_text("1 new picture since")
    assert len(browser.all("#cards .card")) == before + 1
    site.store(second)  # of the same visit: its card, and no other
    browser.await_text("2 new pictures since")
    assert len(browser.all("#cards .card")) == before + 1
    assert "2 pictures" in browser.one("#cards article:first-child").text
    browser.await_pictures()


def test_filters_and_the_hour_that_one_points_at(browser: Browser) -> None:
    sign_in(browser)
    browser.one("#device option:nth-child(3)").click()
    await_until(lambda: "device=front-gate" in browser.path, 10)
    assert len(browser.all("#cards .card")) == 10
    browser.one("#camera option:nth-child(2)").click()
    await_until(lambda: "camera=left" in browser.path, 10)
    assert {card.text.split("\n")[0] for card in browser.all("#cards .card")} == {"front-gate/left"}
    hour = next(
        bar for bar in browser.all(".hours a") if ": 0 faces" not in str(bar.get_attribute("aria-label"))
    )
    browser.driver.execute_script("location.assign(arguments[0].href.baseVal)", hour)
    await_until(lambda: "hour=" in browser.path, 10)
    assert browser.all("#cards .card")
    assert browser.faults() == []


def test_a_face_opens_and_keys_lead_through_time(browser: Browser) -> None:
    sign_in(browser)
    body = browser.one("body")
    body.send_keys(Keys.ARROW_RIGHT)
    body = browser.driver.switch_to.active_element
    assert body.get_attribute("class") == "card"
    body.send_keys(Keys.ARROW_RIGHT)
    opened_card = browser.driver.switch_to.active_element
    assert opened_card == browser.all("#cards .card")[1]
    opened_card.send_keys(Keys.ENTER)
    browser.await_text("What is known of it")
    assert "quality" in browser.text
    assert "The same visit" in browser.text
    assert browser.faults() == []
    browser.shoot(SHOTS / "face.png")
    here = browser.path
    browser.one("body").send_keys(Keys.ARROW_LEFT)
    await_until(lambda: browser.path != here, 10)
    browser.one("body").send_keys(Keys.ARROW_RIGHT)
    await_until(lambda: browser.path == here, 10)
    browser.one("body").send_keys(Keys.ESCAPE)
    await_until(lambda: "hour=" in browser.path, 10)


def test_on_a_phone_nothing_is_cut_off(browser: Browser) -> None:
    sign_in(browser)
    try:
        browser.resize(*PHONE)
        for path in ("/", "/fleet"):
            browser.open(path)
            width = browser.driver.execute_script("return document.documentElement.scrollWidth")
            assert width <= PHONE[0], path
            assert browser.faults() == []
        browser.look("dark")
        browser.open("/")
        browser.shoot(SHOTS / "gallery-phone.png")
        assert browser.faults() == []
    finally:
        browser.look("light")
        browser.resize(1200, 900)


def test_the_look_that_one_chose_stays(browser: Browser) -> None:
    sign_in(browser)
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = browser.driver.execute_script(ground)
    browser.one("#look").click()
    dark = browser.driver.execute_script(ground)
    assert dark != light
    browser.open("/")
    assert browser.driver.execute_script(ground) == dark
    assert browser.faults() == []
    browser.one("#look").click()


def test_the_fleet_page_shows_who_went_away(site: GallerySite, browser: Browser, make_link: MakeLink) -> None:
    camera = {"state": "online", "camera": "ok", "fps": 5.0, "captured": 12}
    status = json.dumps({"state": "online", "cloud": "connected", "held": 0, "cameras": {"ramp": camera}})
    link = make_link(site.broker.port)
    await_until(lambda: link.connected, 15)
    link.publish(topics.device_status("depot"), status.encode(), qos=1, retain=True)
    link.publish(
        topics.device_status("front-gate"),
        status.replace('"ok"', '"no frame for 15 s: is it plugged in?"').encode(),
        qos=1,
        retain=True,
    )
    sign_in(browser)
    browser.open("/fleet")
    browser.await_text("depot: online")
    assert "is it plugged in?" in browser.text
    assert "cloud host\n29d" in browser.text
    assert "the fleet's authority ends" in browser.text  # in 99 days, and replacing one takes weeks
    assert "rotate_authority=true" in browser.text
    assert browser.faults() == []
    link.publish(topics.device_status("depot"), b'{"state": "offline"}', qos=1, retain=True)
    browser.await_text("depot: offline")  # the page renews itself
    assert browser.text.index("depot: offline") < browser.text.index("front-gate: online")
    assert browser.faults() == []
    browser.shoot(SHOTS / "fleet.png")


def test_no_page_asked_for_anything_elsewhere_or_broke_a_rule(site: GallerySite, browser: Browser) -> None:
    browser.note()
    asked = {
        urlsplit(url).netloc for url in browser.asked if not url.startswith(("data:", "blob:", "chrome:"))
    }
    assert asked == {urlsplit(site.url).netloc}
    broken = [
        text for text in browser.complaints if "Content Security Policy" in text or "SyntaxError" in text
    ]
    assert broken == []
