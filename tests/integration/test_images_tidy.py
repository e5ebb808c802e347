"""However often images are built and brought, an engine keeps so many and no more."""

import io
import json
import secrets
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from docker import DockerClient

ROLES = Path(__file__).resolve().parents[2] / "roles"
TIDY = "images/library/images_tidy.py"
PRUNE = "stack/library/stack_prune_images.py"
OURS = "LABEL org.opencontainers.image.vendor=Facefleet"


def tidy(module: str = TIDY, **arguments: object) -> list[str]:
    """Run a role's module; return what it removed."""
    done = subprocess.run(
        [sys.executable, ROLES / module],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=True,
    )
    removed: list[str] = json.loads(done.stdout)["removed"]
    return removed


def own(namespace: str, refs: list[str]) -> list[str]:
    """Return those of a test: another one may have left an image without a name meanwhile."""
    return [ref for ref in refs if ref.startswith(namespace)]


def test_many_builds_leave_as_many_as_are_kept_and_what_a_container_uses(
    engine: DockerClient,
) -> None:
    namespace = f"facefleet-test-{secrets.token_hex(4)}"
    made = engine.api.import_image_from_data(b"\0" * 1024, repository=f"{namespace}/a", tag="first")
    assert made
    used = engine.containers.create(f"{namespace}/a:first", command=["nothing"])
    try:
        for number in range(12):
            used.commit(f"{namespace}/a", f"{number:02}")
        assert len(own(namespace, tidy(namespace=namespace, keep=3))) == 9
        left = {tag for found in engine.images.list(f"{namespace}/a") for tag in found.tags}
        assert left == {f"{namespace}/a:{tag}" for tag in ("first", "09", "10", "11")}
        assert own(namespace, tidy(namespace=namespace, keep=3)) == []
    finally:
        used.remove(force=True)
        # By name: the engine refuses to remove an image by its id while another was made of it.
        for name in [tag for found in engine.images.list(f"{namespace}/a") for tag in found.tags]:
            engine.images.remove(name)


def imported(engine: DockerClient, name: str, tag: str, *changes: str) -> str:
    """Make an image that is like no other; return its id."""
    data = secrets.token_bytes(512).ljust(1024, b"\0")
    engine.api.import_image_from_data(tarred(data), repository=name, tag=tag, changes=list(changes))
    return str(engine.images.get(f"{name}:{tag}").id)


def tarred(content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("module", [TIDY, PRUNE])
def test_one_that_lost_its_name_goes_unless_it_is_not_ours_or_a_container_uses_it(
    engine: DockerClient, tmp_path: Path, module: str
) -> None:
    namespace = f"facefleet-test-{secrets.token_hex(4)}"
    name = f"{namespace}/a"
    composed = tmp_path / "releases/1/compose.yaml"
    composed.parent.mkdir(parents=True)
    composed.write_text(f"image: {name}:1")
    arguments = {"keep": 5} if module == TIDY else {"root": str(tmp_path)}
    used = imported(engine, name, "1", OURS)
    container = engine.containers.create(used, command=["nothing"])
    try:
        foreign, lost = imported(engine, name, "1"), imported(engine, name, "1", OURS)
        newest = imported(engine, name, "1", OURS)
        tidy(module, namespace=namespace, **arguments)
        here = {image.id for image in engine.images.list(all=True)}
        assert lost not in here
        assert {used, foreign, newest} <= here
    finally:
        container.remove(force=True)
        for image in (used, foreign, newest):
            engine.images.remove(image, force=True)
