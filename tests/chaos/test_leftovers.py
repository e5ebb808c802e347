"""A campaign that is killed leaves nothing behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from tests.chaos import leftovers
from tests.chaos.campaign import newest_images
from tests.chaos.disk import CuttableDisk, SmallDisk, missing
from tests.images import NoImageError

ROOT = Path(__file__).resolve().parents[2]
CAMPAIGN = """
import sys, time, docker
from tests.chaos import disk, leftovers
from tests.chaos.workshop import Spec, Workshop
workshop = Workshop(docker.from_env(), leftovers.myself())
guard = leftovers.Guard(workshop.owner)
workshop.folder.mkdir()
workshop.network("wan")
mounts = [workshop.volume("v")]
workshop.part("p", Spec(sys.argv[1], "32m", ("wan",), mounts=mounts, command=["sleep", "60"])).start()
if sys.argv[2] == "disks":
    disk.SmallDisk(workshop.folder / "small", 8 * disk.MIB)
    disk.CuttableDisk(workshop.folder / "cuttable", 8 * disk.MIB)
print(workshop.owner, flush=True)
time.sleep(60)
"""


def test_a_killed_campaign_is_swept_by_its_guard() -> None:
    try:
        engine = docker.from_env()
        engine.ping()
        image = newest_images(engine)["broker"]
    except (DockerException, NoImageError) as error:
        pytest.skip(str(error))
    disks = "" if missing((*SmallDisk.TOOLS, *CuttableDisk.TOOLS)) else "disks"
    with subprocess.Popen(
        [sys.executable, "-c", CAMPAIGN, image, disks], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as campaign:
        assert campaign.stdout
        owner = campaign.stdout.readline().strip()
        assert owner, "the campaign began"
        folder = leftovers.folder_of(owner)
        ours = {"label": f"{leftovers.LABEL}={owner}"}

        def left() -> list[object]:
            return [
                *engine.containers.list(all=True, filters=dict(ours), ignore_removed=True),
                *engine.networks.list(filters=dict(ours)),
                *engine.volumes.list(filters=dict(ours)),
                *folder.parent.glob(folder.name),
                *leftovers.loops_below(folder),
            ]

        assert len(left()) == (4 + 3 if disks else 4)
        assert leftovers.alive(owner)
        campaign.send_signal(signal.SIGKILL)
    assert not leftovers.alive(owner)
    deadline = time.monotonic() + 30
    while left() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left() == []
    engine.close()
