"""The project's images on this machine."""

from docker import DockerClient


class NoImageError(LookupError):
    """An image that the tests need has not been built."""


def newest_image(engine: DockerClient, name: str) -> str:
    """Return the id of the newest image of that name that is for the engine's own platform.

    Raises:
        NoImageError: when there is none.
    """
    own = engine.version()["Arch"]
    made = [image for image in engine.images.list(f"facefleet/{name}") if image.attrs["Architecture"] == own]
    found = max(made, key=lambda image: str(image.attrs["Created"]), default=None)
    if found is None or found.id is None:
        raise NoImageError(
            f"no image facefleet/{name} for {own}: ansible-playbook -i inventory/demo playbooks/images.yml"
        )
    return found.id
