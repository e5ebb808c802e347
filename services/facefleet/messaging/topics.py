"""The topics: `<prefix>/<device>/<camera>` for faces, `receipts/...`, `status/...`, `stored/...`."""

from facefleet.messaging.event import MalformedEventError

ALL_CAMERAS = "+/+"
PROBE = "probe"
"""The name that no camera may have: events under it prove that the way is open, and are no faces."""


def faces(prefix: str, device: str, camera: str) -> str:
    """Return the topic that a camera's faces are published on."""
    return f"{prefix}/{device}/{camera}"


def all_faces(prefix: str) -> str:
    """Return the filter that matches the faces of all devices and cameras."""
    return f"{prefix}/{ALL_CAMERAS}"


def camera_status(device: str, camera: str) -> str:
    """Return the topic of a camera's retained status."""
    return f"status/{device}/{camera}"


def device_status(device: str) -> str:
    """Return the topic of a device's retained status."""
    return f"status/{device}"


def receipts(device: str) -> str:
    """Return the topic on which a device hears what became of its messages."""
    return f"receipts/{device}"


def camera_receipts(device: str, camera: str) -> str:
    """Return the topic on which a camera hears what its device has taken."""
    return f"receipts/{device}/{camera}"


def stored(device: str, camera: str) -> str:
    """Return the topic on which the processors tell of each face that they stored."""
    return f"stored/{device}/{camera}"


def shared(group: str, topic: str) -> str:
    """Return the filter by which the members of a group share the messages of a topic filter."""
    return f"$share/{group}/{topic}"


def sender(topic: str) -> tuple[str, str]:
    """Return device and camera of a face topic.

    Raises:
        MalformedEventError: when the topic has not three levels.
    """
    match topic.split("/"):
        case [_, device, camera]:
            return device, camera
        case _:
            raise MalformedEventError(f"topic {topic!r} is not <prefix>/<device>/<camera>")
