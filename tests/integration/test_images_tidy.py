"""However often the control host builds, its engine keeps so many images and no more."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

from docker import DockerClient

MODULE = Path(__file__).resolve().parents[2] / "roles/images/library/images_tidy.py"


def tidy(**arguments: object) -> list[str]:
    """Run the role's module; return what it removed."""
    done = subprocess.run(
        [sys.executable, MODULE],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        check=True,
    )
    removed: list[str] = json.loads(done.stdout)["removed"]
    return removed


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
        assert len(tidy(namespace=namespace, keep=3)) == 9
        left = {tag for found in engine.images.list(f"{namespace}/a") for tag in found.tags}
        assert left == {f"{namespace}/a:{tag}" for tag in ("first", "09", "10", "11")}
        assert tidy(namespace=namespace, keep=3) == []
    finally:
        used.remove(force=True)
        # By name: the engine refuses to remove an image by its id while another was made of it.
        for name in [tag for found in engine.images.list(f"{namespace}/a") for tag in found.tags]:
            engine.images.remove(name)
