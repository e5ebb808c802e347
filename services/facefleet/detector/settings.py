"""What the detector can be told."""

import re
import urllib.parse
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from facefleet.custody.spool import WhenFull
from facefleet.messaging import topics
from facefleet.runtime.settings import BrokerSettings, Name

MIB = 1024 * 1024
SourceKind = Literal["file", "device", "stream"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_STREAMS = ("rtsp", "rtsps", "http", "https")


def _known_scheme(source: str) -> str:
    scheme = _SCHEME.match(source)
    if scheme and scheme[1].lower() not in _STREAMS:
        raise ValueError(f"use a file, /dev/video<n> or an address that starts with {', '.join(_STREAMS)}")
    return f"/dev/video{source}" if source.isascii() and source.isdigit() else source


def _no_probe(camera: str) -> str:
    if camera == topics.PROBE:
        raise ValueError(f"{topics.PROBE} is reserved: choose another name")
    return camera


class DetectorSettings(BrokerSettings):
    """`broker` is the edge broker."""

    device: Name
    camera: Annotated[Name, AfterValidator(_no_probe)]
    source: Annotated[str, Field(min_length=1), AfterValidator(_known_scheme)]
    """A video file, a V4L2 device (`/dev/video0`, or just `0`), or an RTSP or HTTP address."""
    loop: bool = False
    """Files only: play again from the start at the end."""
    finder: Literal["yunet", "haar"] = "yunet"
    model: str = "/opt/facefleet/face_detection_yunet_2023mar.onnx"
    detect_fps: float = Field(default=5.0, ge=0.1, le=30.0)
    score_threshold: float = Field(default=0.75, ge=0.0, le=1.0)
    """YuNet only: Haar has no score that compares."""
    min_face_px: int = Field(default=40, ge=1, le=10_000)
    repeat_s: float = Field(default=3.0, ge=0.0, le=86_400.0)
    """The same face is sent at most once in so many seconds."""
    margin: float = Field(default=0.25, ge=0.0, le=2.0)
    """Added to the box on each side, in parts of its width and height."""
    outbox_max_bytes: int = Field(default=256 * MIB, ge=64 * MIB)
    """What the outbox may take on disk."""
    outbox_when_full: WhenFull = "drop_oldest"
    clock: Literal["kernel", "trusted"] = "kernel"
    """How to know that the clock is right: the kernel's word (set by NTP), or the operator's."""
    state_dir: str = "/var/lib/facefleet"

    @model_validator(mode="after")
    def _only_files_loop(self) -> Self:
        if self.loop and self.source_kind != "file":
            raise ValueError(
                f"FACEFLEET_LOOP=true is impossible with FACEFLEET_SOURCE={self.source_shown!r}: "
                "only a file can be played again; set FACEFLEET_LOOP=false"
            )
        return self

    @property
    def source_kind(self) -> SourceKind:
        """Return what sort of source it is."""
        if _SCHEME.match(self.source):
            return "stream"
        return "device" if self.source.startswith("/dev/") else "file"

    @property
    def source_shown(self) -> str:
        """Return the source as it may stand in logs: without the password."""
        if self.source_kind != "stream":
            return self.source
        parts = urllib.parse.urlsplit(self.source)
        user, at, host = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query="").geturl()
