"""`--check` of each service: 0 for good settings, 78 and one line that names the variable for bad ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).resolve().parents[3] / "services"
BROKER = {"FACEFLEET_BROKER": "mqtt://broker:1883"}
GOOD = {
    "logger": BROKER | {"FACEFLEET_DEVICE": "jetson-01"},
    "forwarder": BROKER | {"FACEFLEET_DEVICE": "jetson-01", "FACEFLEET_CLOUD_BROKER": "mqtt://cloud:1883"},
    "watch": BROKER,
    "processor": BROKER | {"FACEFLEET_BUCKET": "faces", "FACEFLEET_S3_ENDPOINT": "http://s3:8333"},
}
each_service = pytest.mark.parametrize("service", list(GOOD))


def check(service: str, settings: dict[str, str]) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", f"facefleet.{service}", "--check"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SERVICES), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@each_service
def test_good_settings_pass(service: str) -> None:
    code, lines = check(service, GOOD[service])
    assert code == 0
    assert [line.partition(" level=")[2] for line in lines] == [
        f'info service={service} event="settings are good"'
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "identity"
    made.mkdir()
    return made


def test_an_identity_is_looked_at_where_one_is_mounted(folder: Path) -> None:
    settings = GOOD["forwarder"] | {
        "FACEFLEET_CLOUD_BROKER": "mqtts://cloud",
        "FACEFLEET_CLOUD_CA": str(folder / "ca.crt"),
        "FACEFLEET_CLOUD_CERTIFICATE": str(folder / "host.crt"),
        "FACEFLEET_CLOUD_KEY": str(folder / "host.key"),
    }
    code, (line,) = check("forwarder", settings)
    assert code == 78
    assert f"{folder}/ca.crt is missing: run site.yml for this host" in line
    folder.rmdir()
    assert check("forwarder", settings)[0] == 0
    assert check("forwarder", GOOD["forwarder"] | {"FACEFLEET_BROKER": "mqtts://edge"})[0] == 0


@each_service
def test_bad_settings_end_with_78_and_a_line_for_each(service: str) -> None:
    code, lines = check(service, GOOD[service] | {"FACEFLEET_QOS": "7", "FACEFLEET_BROKR": "mqtt://x"})
    assert code == 78
    impossible, unknown = sorted(lines, key=lambda line: "did you mean" in line)
    assert "level=error" in impossible
    assert "FACEFLEET_QOS='7' is impossible" in impossible
    assert "FACEFLEET_BROKR is not a setting of this service: did you mean FACEFLEET_BROKER?" in unknown
