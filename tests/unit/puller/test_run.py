"""The story of one run: what is tried, what is kept, and what is said of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from facefleet.puller import run as story
from facefleet.puller.depot import DepotError
from facefleet.puller.order import Order
from facefleet.puller.play import Busy, Failed
from facefleet.puller.settings import PullerSettings

from tests.unit.puller.conftest import NOW
from tests.unit.puller.orders import SIGNER, order, signed


class World:
    """A depot, an engine that has all, and playbooks that do as they are told."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.signature = ""
        self.reports: list[dict[str, Any]] = []
        self.played: list[str] = []
        self.outcome: Exception | None = None
        self.hindered = ""
        self.away = False
        self.goes_away = False

    def orders(self, **changes: Any) -> None:
        self.text = order(**changes)
        self.signature = signed(self.text)

    # The depot.
    def order(self) -> tuple[str, str] | None:
        if self.away:
            raise DepotError("the depot cannot be reached")
        return (self.text, self.signature) if self.text else None

    def report(self, said: dict[str, Any]) -> None:
        if self.away:
            raise DepotError("the depot cannot be reached")
        self.reports.append(said)

    def request(self, _csr: bytes) -> None:
        pass

    # The engine and the playbooks.
    def images(self) -> dict[str, str]:
        return {"facefleet/broker:1": "sha256:aa"}

    def play(self, wanted: Order, *_: object) -> str:
        self.played.append(wanted.edition)
        self.away = self.away or self.goes_away
        if self.outcome and wanted.edition == "bad":
            raise self.outcome
        return self.hindered


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(story, "Depot", lambda *_: world)
    monkeypatch.setattr(story, "Engine", lambda *_: world)
    monkeypatch.setattr("facefleet.puller.play.run", world.play)
    at(monkeypatch, NOW)
    return world


def at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now.astimezone(tz)

    monkeypatch.setattr(story, "datetime", Clock)


@pytest.fixture
def settings(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PullerSettings:
    root = tmp_path_factory.mktemp("host")
    (root / "opt/edge/shown").mkdir(parents=True)
    (root / "opt/edge/shown/release").write_text("77e0c2b19a45\n")
    (root / "cache/blobs").mkdir(parents=True)
    (root / "cache/blobs" / ("0" * 64)).write_bytes(b"...")  # the playbooks
    (folder / "signer.pub").write_bytes(SIGNER)
    return PullerSettings.model_validate(
        {
            "device": "jetson-01",
            "depot": "https://cloud:8884",
            "image": "facefleet/puller:1",
            "identity_dir": folder,
            "stacks_dir": root / "opt",
            "cache_dir": root / "cache",
            "clock": "trusted",
            "renew_days": 1,
        }
    )


def shown(settings: PullerSettings) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((settings.shown_dir / "pull.json").read_text())
    return said


def test_without_an_order_it_waits_and_says_for_what(world: World, settings: PullerSettings) -> None:
    assert story.run(settings) == "waiting"
    assert shown(settings)["why"] == story.NO_ORDER
    assert world.played == []


def test_an_order_is_applied_told_and_kept_and_each_run_converges(
    world: World, settings: PullerSettings
) -> None:
    world.orders(edition="good")
    assert story.run(settings) == "ok"
    assert [said["state"] for said in world.reports] == ["fetching", "applying", "ok"]
    assert (world.reports[-1]["edition"], world.reports[-1]["release"]) == ("good", "77e0c2b19a45")
    world.away = True
    assert story.run(settings) == "waiting"
    assert world.played == ["good", "good"], "what drifted is put right without a link, too"
    assert shown(settings)["edition"] == "good"


def test_what_failed_is_told_once_and_what_ran_before_is_kept(world: World, settings: PullerSettings) -> None:
    world.orders(edition="good")
    story.run(settings)
    world.orders(edition="bad", serial=8)
    world.outcome = Failed("no receipt came")
    assert story.run(settings) == "failed"
    assert story.run(settings) == "failed"
    assert world.played == ["good", "bad", "good"]
    said = world.reports[-1]
    assert (said["state"], said["edition"], said["wants"]) == ("failed", "good", "bad")
    assert "no receipt came Tried once, again after" in said["why"]
    world.orders(edition="better", serial=9)
    assert story.run(settings) == "ok"


def test_a_host_that_lacks_something_besides_runs_the_release_and_says_what(
    world: World, settings: PullerSettings
) -> None:
    world.orders(edition="good")
    world.hindered = "chrony cannot be installed"
    for _ in range(2):
        assert story.run(settings) == "waiting"
        assert (shown(settings)["edition"], shown(settings)["why"]) == ("good", "chrony cannot be installed")
    world.hindered = ""
    assert story.run(settings) == "ok"


def test_what_fails_while_the_link_is_away_is_tried_again(world: World, settings: PullerSettings) -> None:
    world.orders(edition="bad")
    world.outcome, world.goes_away = Failed("no receipt came"), True
    assert story.run(settings) == "waiting"
    assert "the link went" in shown(settings)["why"]
    world.outcome, world.goes_away, world.away = None, False, False
    assert story.run(settings) == "ok"


def test_who_meets_a_push_waits(world: World, settings: PullerSettings) -> None:
    world.orders(edition="bad")
    world.outcome = Busy("jetson-01 is being changed by anna")
    assert story.run(settings) == "waiting"
    assert "anna" in shown(settings)["why"]


def test_an_order_from_before_changes_nothing(world: World, settings: PullerSettings) -> None:
    world.orders(edition="good", serial=8)
    story.run(settings)
    world.orders(edition="old", serial=7)
    assert story.run(settings) == "ok"
    assert shown(settings)["edition"] == "good"


def test_what_is_not_signed_is_not_applied(world: World, settings: PullerSettings) -> None:
    world.orders(edition="good")
    world.text = order(edition="forged")
    assert story.run(settings) == "waiting"
    assert "not signed by this fleet's signer" in shown(settings)["why"]
    assert world.played == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (datetime(1970, 1, 1, 0, 3, tzinfo=UTC), "clock says 1970-01-01 00:03 UTC, which is wrong"),
        (datetime(2026, 11, 25, tzinfo=UTC), "its certificate begins 2026-11-27: let it reach a time server"),
        (datetime(2035, 1, 1, tzinfo=UTC), "certificate ended 2026-12-28, and its clock says 2035-01-01"),
    ],
)
def test_a_wrong_clock_is_named(
    world: World, settings: PullerSettings, monkeypatch: pytest.MonkeyPatch, now: datetime, words: str
) -> None:
    world.orders(edition="good")
    at(monkeypatch, now)
    assert story.run(settings) == "waiting"
    assert words in shown(settings)["why"]


def test_two_never_run(world: World, settings: PullerSettings) -> None:
    world.orders(edition="good")
    settings.state_dir.mkdir(parents=True)
    with story._alone(settings.state_dir / "run.lock") as alone:
        assert alone
        assert story.run(settings) == "waiting"
    assert world.played == []
