"""The host's Docker engine, over its socket: which images it has, and giving it more."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

ANSWER_WITHIN_S = 60.0
LOADED_WITHIN_S = 1800.0


class EngineError(Exception):
    """The engine does not answer, or refuses; the text says what helps."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Engine:
    """Asks for each thing anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def images(self) -> dict[str, str]:
        """Return reference to id of each image that has a name."""
        listed = self._ask("GET", "/images/json")
        return {tag: image["Id"] for image in listed for tag in image.get("RepoTags") or []}

    def layers(self) -> list[list[str]]:
        """Return the layers of each image, the lowest first."""
        ids = {image["Id"] for image in self._ask("GET", "/images/json")}
        found = (self._ask("GET", f"/images/{quote(each)}/json") for each in ids)
        return [image["RootFS"].get("Layers") or [] for image in found]

    def load(self, archive: Path) -> None:
        """Give it an archive."""
        with archive.open("rb") as content:
            self._ask(
                "POST",
                "/images/load?quiet=1",
                content,
                {"Content-Type": "application/x-tar", "Content-Length": str(archive.stat().st_size)},
                LOADED_WITHIN_S,
            )

    def signal(self, container: str, name: str) -> None:
        """Send a container a signal; one that is not there needs none."""
        try:
            self._ask("POST", f"/containers/{container}/kill?signal={name}")
        except EngineError as error:
            if "No such container" not in str(error) and "is not running" not in str(error):
                raise

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        within_s: float = ANSWER_WITHIN_S,
    ) -> Any:
        connection = _Connection(self._path, within_s)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(
                f"the Docker engine does not answer ({error}): see `systemctl status docker` there"
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:  # noqa: PLR2004 - HTTP
            raise EngineError(f"the Docker engine refuses: {said.strip()[:300]}")
        if path.startswith("/images/load"):
            _raise_what_load_says(said)
            return None
        return json.loads(said) if said.strip() else None


def _raise_what_load_says(said: str) -> None:
    """`load` answers 200 and tells of errors in its stream."""
    for line in said.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("error"):
            raise EngineError(f"the Docker engine refuses: {told['error']}")
