"""A headless Chromium, Debian's, that tells where it connected to."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.demo_files import AXE
from tests.integration.waiting import await_until

DESKTOP, PHONE = (1200, 900), (390, 844)
WITHIN_S = 15.0
_MISSING = """
return [...document.images].filter(
  image => image.getBoundingClientRect().top < innerHeight && !(image.complete && image.naturalWidth)
).map(image => `${image.complete ? 'broken' : 'not loaded'}: ${image.src}`)
"""


class Browser:
    """One window. It keeps what the pages asked for, and what they complained of."""

    def __init__(self, folder: Path, site: str) -> None:
        self.site = site
        self.asked: list[str] = []
        self.complaints: list[str] = []
        options = webdriver.ChromeOptions()
        options.binary_location = needed("chromium")
        for argument in (
            "--headless=new",
            "--no-sandbox",  # root has none
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={folder}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(needed("chromedriver")))
        self.resize(*DESKTOP)

    def resize(self, width: int, height: int) -> None:
        """Be so large, a phone below 500 pixels."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def look(self, name: str) -> None:
        """Prefer a dark or a light look, as the system would."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]}
        )

    def open(self, path: str) -> None:
        self.driver.get(f"{self.site}{path}")

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        """Return the first, as soon as there is one."""
        await_until(lambda: bool(self.all(css)), WITHIN_S, f"the page has {css}:\n{self.text}")
        return self.all(css)[0]

    def send(self, css: str) -> None:
        """Press what sends a form, and wait for the page that answers.

        Who opens another page before that may find that the answer takes its place.
        """
        before = self.one("html")
        self.one(css).click()
        await_until(lambda: gone(before), WITHIN_S, f"another page comes after {css}:\n{self.text}")

    def await_text(self, text: str) -> None:
        await_until(lambda: text in self.text, WITHIN_S, f"the page says {text!r}:\n{self.text}")

    @property
    def text(self) -> str:
        return str(self.driver.execute_script("return document.body ? document.body.innerText : ''"))

    @property
    def path(self) -> str:
        parts = urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def missing(self) -> list[str]:
        """Return the pictures in sight that are not there, and how they stand."""
        return self.driver.execute_script(_MISSING)  # type: ignore[no-any-return]

    def await_pictures(self) -> None:
        """Wait until all pictures that are in sight are there."""
        try:
            await_until(lambda: not self.missing(), WITHIN_S, "all pictures are there")
        except AssertionError as error:
            error.add_note("\n".join(self.missing()))
            raise

    @contextmanager
    def without(self, addresses: str) -> Iterator[None]:
        """Let requests to such addresses fail, and use nothing that was kept."""
        for command, given in (
            ("Network.enable", {}),
            ("Network.clearBrowserCache", {}),
            ("Network.setBlockedURLs", {"urls": [addresses]}),
        ):
            self.driver.execute_cdp_cmd(command, given)
        yield
        self.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})

    def shoot(self, file: Path) -> None:
        self.await_pictures()
        file.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(file))

    def faults(self) -> list[str]:
        """Return what axe finds serious or critical on this page."""
        self.driver.execute_script(AXE.read_text())
        found: list[dict[str, Any]] = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1]; axe.run().then(r => done(r.violations))"
        )
        return [
            f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    def note(self) -> None:
        """Keep what was asked for and complained of until now."""
        for entry in self._log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
        self.complaints += [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return self.driver.get_log(kind)  # type: ignore[no-any-return,no-untyped-call]

    def close(self) -> None:
        self.driver.quit()


def gone(element: WebElement) -> bool:
    """Say whether the page of which it was part is left."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


def needed(program: str) -> str:
    """Return where a program is; without it the test is skipped."""
    found = shutil.which(program)
    if not found:
        pytest.skip(f"no {program}: install chromium and chromium-driver")
    return found


def opened(folder: Path, site: str) -> Iterator[Browser]:
    """Yield a browser, for a fixture."""
    if not AXE.is_file():
        pytest.skip(f"no {AXE}: `make {AXE.relative_to(AXE.parents[2])}` gets it")
    browser = Browser(folder, site)
    try:
        yield browser
    finally:
        browser.close()
