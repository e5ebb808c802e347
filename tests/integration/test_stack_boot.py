"""What brings a stack back when its host starts, with a real engine and what a power cut may have left."""

import io
import json
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient
from docker.errors import ImageNotFound

ROLE = Path(__file__).resolve().parents[2] / "roles/stack"
WORD = "/srv/word"
PLACED = [
    *(f"library/stack_{part}.py" for part in ("lock", "mend", "promote", "state")),
    "files/stack_boot.py",
]


class Stack:
    """A stack of two services in a folder of its own; releases differ in the image of one of them."""

    def __init__(self, root: Path, engine: DockerClient, image: str) -> None:
        self.home = root / f"boot-{secrets.token_hex(4)}"
        self.lock = root / "lock"
        self.project = f"facefleet-{self.home.name}"
        self._engine = engine
        self._image = image
        (self.home / "boot").mkdir(parents=True)
        for place in PLACED:
            shutil.copy(ROLE / place, self.home / "boot")

    def tag(self, release: str) -> str:
        return f"facefleet-test/{self.home.name}:{release}"

    def place(self, release: str, *, came_through: bool = True) -> None:
        """Make a release with an image of its own."""
        source = self._engine.containers.create(self._image)
        with io.BytesIO() as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                content = f"the word of {release}\n".encode()
                member = tarfile.TarInfo(WORD)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            source.put_archive("/", archive.getvalue())
        source.commit(*self.tag(release).split(":"))
        source.remove(force=True)
        base = {
            "init": True,
            "restart": "unless-stopped",
            "stop_grace_period": "1s",
            "command": ["sleep", "1000"],
        }
        word = ["[", "-s", WORD, "]"]
        health = {"test": ["CMD", *word], "interval": "1s", "retries": 1, "start_period": "1s"}
        one = {**base, "image": self.tag(release), "command": ["sh", "-c", f"{' '.join(word)} && sleep 1000"]}
        compose = {
            "name": self.project,
            "services": {"one": {**one, "healthcheck": health}, "two": {**base, "image": self._image}},
        }
        folder = self.home / "releases" / release
        folder.mkdir(parents=True)
        (folder / "compose.yaml").write_text(json.dumps(compose))
        if came_through:
            with (self.home / "history").open("a") as history:
                history.write(f"{release}\n")

    def make_current(self, release: str) -> None:
        (self.home / "current").unlink(missing_ok=True)
        (self.home / "current").symlink_to(f"releases/{release}")

    @property
    def current(self) -> str:
        return (self.home / "current").resolve().name

    def compose(self, release: str, *words: str) -> str:
        file = self.home / "releases" / release / "compose.yaml"
        done = subprocess.run(
            ["docker", "compose", "-f", file, *words], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def damage(self, release: str) -> None:
        """Leave a file of an image empty, as a power cut does with what was not on the disk yet."""
        facts = self._engine.images.get(self.tag(release)).attrs["GraphDriver"]["Data"]
        file = Path(facts["UpperDir"] + WORD)
        assert file.stat().st_size
        os.truncate(file, 0)

    def has_image(self, release: str) -> bool:
        try:
            self._engine.images.get(self.tag(release))
        except ImageNotFound:
            return False
        return True

    def runs(self) -> dict[str, tuple[str, str]]:
        """Return the containers: service to id and image."""
        found = self._engine.containers.list(filters={"label": f"com.docker.compose.project={self.project}"})
        return {
            one.labels["com.docker.compose.service"]: (str(one.id), str(one.attrs["Config"]["Image"]))
            for one in found
        }

    def boot(self, code: int = 0, clients: Path | None = None) -> str:
        """Start the host, so to say; return what the journal is told. `clients` has another `docker`."""
        done = subprocess.run(
            [sys.executable, "-B", self.home / "boot/stack_boot.py", self.home, "--wait", "20"],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
            env=os.environ | {"PATH": f"{clients}:{os.environ['PATH']}"} if clients else None,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert not self.lock.exists()
        return done.stdout

    def remove(self) -> None:
        for release in (self.home / "releases").glob("*"):
            if (release / "compose.yaml").exists():
                self.compose(release.name, "down", "--remove-orphans", "--timeout", "1")
        for image in self._engine.images.list(f"facefleet-test/{self.home.name}"):
            self._engine.images.remove(str(image.id), force=True)


@pytest.fixture
def stack(tmp_path: Path, engine: DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """Two releases that came through; the second one is current and runs."""
    made = Stack(tmp_path, engine, images["broker"])
    try:
        made.place("r1")
        made.place("r2")
        made.make_current("r2")
        made.compose("r2", "up", "--detach", "--wait")
        yield made
    finally:
        made.remove()


def test_a_host_that_stands_as_it_should_is_left_alone(stack: Stack) -> None:
    before = stack.runs()
    assert "Release r2 runs as it should." in stack.boot()
    assert stack.runs() == before


def test_of_an_interrupted_release_nothing_is_left(stack: Stack) -> None:
    before = stack.runs()
    stack.place("r3", came_through=False)
    (stack.home / "coming").write_text("r3\n")
    (stack.home / "releases/half").mkdir()
    stack.compose("r3", "up", "--detach", "--wait", "one")
    assert stack.runs()["one"][1] == stack.tag("r3")
    assert "The deployment of r3 was interrupted: back to r2." in stack.boot()
    assert stack.runs()["one"][1] == stack.tag("r2")
    assert stack.runs()["two"] == before["two"]
    assert {path.name for path in (stack.home / "releases").iterdir()} == {"r1", "r2"}
    assert not (stack.home / "coming").exists()


def test_the_lock_of_the_boot_before_is_taken_over(stack: Stack) -> None:
    stack.lock.write_text(
        json.dumps(
            {"owner": "a push", "since": "then", "until": "then", "token": "t", "boot": "another-1",
             "until_s": 1e12, "hold_s": 900, "run": {}}
        )
    )  # fmt: skip
    said = stack.boot()
    assert "left by a run that is no more: a push took it at then, and the host started anew since" in said


def test_what_is_stopped_or_gone_or_too_much_is_made_good(stack: Stack) -> None:
    stack.compose("r2", "stop", "--timeout", "1", "two")
    assert "two is not healthy" in stack.boot()
    assert stack.runs().keys() == {"one", "two"}
    stack.compose("r2", "rm", "--force", "--stop", "one")
    assert "one is not there" in stack.boot()
    assert stack.runs().keys() == {"one", "two"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can damage what an engine keeps")
def test_where_an_image_is_damaged_the_release_before_runs(stack: Stack, engine: DockerClient) -> None:
    if engine.info()["Driver"] != "overlay2":
        pytest.skip("the engine keeps its images otherwise")
    stack.compose("r2", "down", "--timeout", "1")
    stack.damage("r2")
    said = stack.boot()
    assert f"Damaged: {stack.tag('r2')}" in said
    assert "Fell back from release r2 to r1" in said
    assert stack.current == "r1"
    assert (stack.home / "shown/release").read_text() == "r1\n"
    assert stack.runs()["one"][1] == stack.tag("r1")
    assert not stack.has_image("r2")
    assert "Release r1 runs as it should." in stack.boot()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can damage what an engine keeps")
def test_where_all_are_damaged_it_says_so_and_the_next_deployment_brings_them(stack: Stack) -> None:
    stack.compose("r2", "down", "--timeout", "1")
    stack.damage("r2")
    stack.damage("r1")
    said = stack.boot(code=1)
    assert "no release here has all its images whole" in said
    assert not stack.has_image("r1")
    assert not stack.has_image("r2")
    assert stack.current == "r2"


def test_where_images_are_whole_no_other_release_takes_its_place(stack: Stack) -> None:
    """A camera that is not there, say: another release would not start either."""
    file = stack.home / "releases/r2/compose.yaml"
    said = json.loads(file.read_text())
    said["services"]["two"]["command"] = ["false"]
    said["services"]["two"]["healthcheck"] = said["services"]["one"]["healthcheck"]
    file.write_text(json.dumps(said))
    assert "its images are whole" in stack.boot(code=1)
    assert stack.current == "r2"
    assert stack.has_image("r2")


def test_what_can_run_runs_where_a_camera_is_not_there(stack: Stack) -> None:
    stack.compose("r2", "down", "--timeout", "1")
    file = stack.home / "releases/r2/compose.yaml"
    said = json.loads(file.read_text())
    said["services"]["a-camera"] = {**said["services"]["two"], "devices": ["/dev/nothing:/dev/nothing"]}
    file.write_text(json.dumps(said))
    assert "a-camera is not healthy" in stack.boot(code=1)
    assert stack.runs().keys() == {"one", "two"}
    assert stack.current == "r2"


def test_before_the_first_release_there_is_nothing_to_bring_back(stack: Stack) -> None:
    (stack.home / "current").unlink()
    (stack.home / "coming").write_text("r2\n")
    before = stack.runs()
    assert "There is no current release yet" in stack.boot()
    assert stack.runs() == before
    assert (stack.home / "coming").exists()


def test_an_engine_that_hangs_is_not_waited_for_without_end(stack: Stack) -> None:
    boot = stack.home / "boot/stack_boot.py"
    boot.write_text(boot.read_text().replace("_ENGINE_WITHIN_S = 120\n", "_ENGINE_WITHIN_S = 1\n"))
    client = stack.home / "clients/docker"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\nexec sleep 1000\n")
    client.chmod(0o755)
    assert "the Docker engine does not answer" in stack.boot(code=1, clients=client.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can damage what an engine keeps")
def test_a_deployment_that_fails_for_a_damaged_image_takes_it_away(stack: Stack) -> None:
    """Power went while it was brought: it is there by its name, and nothing would bring it again."""
    stack.place("r3", came_through=False)
    stack.damage("r3")
    assert stack_mend(stack, "r3") == [stack.tag("r3")]
    assert not stack.has_image("r3")
    assert stack_mend(stack, "r2") == []
    assert stack.has_image("r2")


def stack_mend(stack: Stack, release: str) -> list[str]:
    """Run the role's module; return what it says that it removed."""
    arguments = {"file": str(stack.home / "releases" / release / "compose.yaml")}
    done = subprocess.run(
        [sys.executable, ROLE / "library/stack_mend.py"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=True,
    )
    removed: list[str] = json.loads(done.stdout)["removed"]
    return removed
