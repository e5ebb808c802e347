"""An AWS account for a test: the launcher as a process of its own, and what a test may do with it."""

import configparser
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Literal

import boto3

from tests.fleet.aws.faults import When
from tests.integration.waiting import await_until, free_port

REPO = Path(__file__).resolve().parents[3]
REGION: Literal["eu-central-1"] = "eu-central-1"


class AwsAccount:
    """Empty at first. Rights are checked; the keys in the file `operator` may do everything.

    The metadata service is at the same place. The elastic address is what the instance gets, the host key
    what its console shows.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        elastic_address: str = "",
        host_key: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.operator = folder / "operator.ini"
        port = port or free_port()
        self.url = f"http://{host}:{port}"
        self._options = ["--host", host, "--port", str(port), "--region", REGION]
        if elastic_address:
            self._options += ["--address", elastic_address]
        if host_key:
            self._options += ["--host-key", str(host_key)]
        self._log = folder / "aws.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "tests.fleet.aws", "--operator", str(self.operator)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._options],
                cwd=REPO,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        await_until(self._answers, 30, f"the account answers:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End it; all that was in it is gone."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)

    @property
    def environment(self) -> dict[str, str]:
        """Return what lets every AWS tool use it as the operator."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.operator),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def session(self) -> boto3.Session:
        """Return a session with the operator's keys."""
        lines = configparser.ConfigParser()
        lines.read_string(self.operator.read_text())
        keys = lines["default"]
        return boto3.Session(keys["aws_access_key_id"], keys["aws_secret_access_key"], region_name=REGION)

    def fail(self, action: str, when: When) -> None:
        """Let the next call of this name fail: before it is carried out, or after."""
        self._ask("faults", {"action": action, "when": when})

    def publish(self, *images: dict[str, Any]) -> None:
        """Publish images."""
        self._ask("images", list(images))

    def show_on_consoles(self, *host_keys: str) -> None:
        """Let the consoles show other host keys than at the start, or none."""
        self._ask("console", list(host_keys))

    def calls(self) -> list[str]:
        """Return the calls since this was last asked, such as `ec2:CreateVpc`."""
        return self._ask("calls")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the account ended:\n{self._log.read_text()}")
        try:
            self._ask("calls")
        except urllib.error.URLError:
            return False
        return True

    def _ask(self, what: str, body: object = None) -> list[str]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/launcher/{what}", data=data)
        with urllib.request.urlopen(request, timeout=10) as answer:
            said: list[str] = json.load(answer)
        return said
