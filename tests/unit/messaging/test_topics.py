"""Topics are written and read in one form."""

import pytest
from facefleet.messaging import topics
from facefleet.messaging.event import MalformedEventError


def test_the_sender_is_read_from_the_topic_that_was_written() -> None:
    topic = topics.faces("face_detection", "jetson-01", "lobby")
    assert topic == "face_detection/jetson-01/lobby"
    assert topics.sender(topic) == ("jetson-01", "lobby")


def test_the_filter_of_all_faces_has_a_level_for_device_and_camera() -> None:
    assert topics.all_faces("face_detection") == "face_detection/+/+"


def test_a_cameras_status_has_its_own_topic() -> None:
    assert topics.camera_status("jetson-01", "lobby") == "status/jetson-01/lobby"


@pytest.mark.parametrize("topic", ["", "face_detection", "face_detection/jetson-01", "a/b/c/d"])
def test_a_topic_without_three_levels_has_no_sender(topic: str) -> None:
    with pytest.raises(MalformedEventError, match="<prefix>/<device>/<camera>"):
        topics.sender(topic)
