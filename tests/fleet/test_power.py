"""Power goes in the middle of an update: the device is back by itself, with the old or the new release."""

import collections
import os
import random
import sys
import time
from collections.abc import Iterator

import pytest

from tests.fleet import power
from tests.fleet import site as sites
from tests.fleet.site import CLIP, Site

pytestmark = [pytest.mark.full, pytest.mark.timeout(7200)]
CUTS = int(os.environ.get("FACEFLEET_CUTS", "50"))
SEED = int(os.environ.get("FACEFLEET_SEED", "7"))


@pytest.fixture(scope="module")
def cut_site() -> Iterator[Site]:
    """A cloud host and one device, with a face of the device in the bucket."""
    if not CLIP.exists():
        pytest.skip(f"{CLIP} is not there: `make fleet` fetches it")
    with sites.bare("jetson-01", baked=True) as site:
        site.place_video()
        site.play("site.yml").succeeded()
        site.await_faces("jetson-01")
        yield site


def test_power_cut_at_each_step_of_an_update(cut_site: Site) -> None:
    names = {cut_site.release("jetson-01")}
    device = power.Device(cut_site, "jetson-01", random.Random(SEED))
    device.update(power.RELEASES[1])
    names.add(cut_site.release("jetson-01"))
    before = cut_site.faces("jetson-01")
    cuts: list[power.Cut] = []
    coming = 0
    for number in range(CUTS):
        cut = device.cut_in(power.STEPS[number % len(power.STEPS)], power.RELEASES[coming])
        cuts.append(cut)
        sys.stderr.write(f"{number + 1}: {cut}\n")
        names.add(cut.after)
        coming = 1 - coming if cut.kept == "new" else coming
    sys.stderr.write(f"\n{power.table(cuts)}\n")
    assert [cut for cut in cuts if cut.wrong] == []
    assert [cut for cut in cuts if not cut.came] == [], "no task of that name began"
    assert len(names) == 2, f"a release that nobody made: {names}"
    device.update(power.RELEASES[coming])
    assert cut_site.await_faces("jetson-01", more_than=before) > before
    _assert_even(cut_site, device)
    assert device.grown() == []


def test_an_engine_that_keeps_the_port_of_what_is_gone_is_started_anew(cut_site: Site) -> None:
    device = power.Device(cut_site, "jetson-01", random.Random(SEED))
    assert device.stand_in_the_way().wrong == []
    assert "so it is started anew" in device.journal()


@pytest.mark.parametrize("step", [step for step in power.STEPS if step.name in ("first", "others")])
def test_a_first_deployment_that_is_cut_is_completed_by_the_next(cut_site: Site, step: power.Step) -> None:
    device = power.Device(cut_site, "jetson-01", random.Random(SEED))
    said = device.cut_the_first(step, power.RELEASES[0] | {"power_removed": True})
    assert "There is no current release yet" in said
    before = cut_site.faces("jetson-01")
    device.update(power.RELEASES[0])
    assert cut_site.await_faces("jetson-01", more_than=before) > before
    assert device.grown() == []


def _assert_even(site: Site, device: power.Device) -> None:
    """Captured = stored + held + given up, and nothing twice, once the camera is paused and all has come."""
    device.pause()
    deadline = time.monotonic() + 180
    while True:
        said = device.status()
        keys = site.keys("faces/jetson-01/")
        on_the_way = said["captured"] - said["given_up"] - len(keys)
        paused = str(said["camera"]) == "paused"
        if paused and not on_the_way and not said["held"] and not site.held("jetson-01"):
            break
        assert time.monotonic() < deadline, f"{said}, {len(keys)} stored, {site.held('jetson-01')} held"
        time.sleep(2)
    twice = [
        name
        for name, count in collections.Counter(key.rsplit("-", 1)[1] for key in keys).items()
        if count > 1
    ]
    assert twice == []
    assert said["given_up"] == 0
    assert site.keys("dead-letter/") == []
    sys.stderr.write(f"captured {said['captured']} = stored {len(keys)}; given up 0, twice 0\n")
