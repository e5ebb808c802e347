"""What the detector can be told."""

import re
import urllib.parse
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from facefleet.custody.spool import WhenFull
from facefleet.detector.areas import Area, areas_of
from facefleet.detector.crop import Format
from facefleet.detector.sources.live import PixelFormat
from facefleet.messaging import topics
from facefleet.runtime.clock import Trust
from facefleet.runtime.settings import BrokerSettings, Name

MIB = 1024 * 1024
SourceKind = Literal["file", "device", "stream", "pipeline"]
PIPELINE = "gstreamer:"
"""What comes after it is a GStreamer pipeline that ends in appsink."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_STREAMS = ("rtsp", "rtsps", "http", "https")


def _known_scheme(source: str) -> str:
    if source.startswith(PIPELINE):
        if not source.rstrip().rpartition("!")[2].strip().startswith("appsink"):
            raise ValueError("end the pipeline in ! appsink drop=true max-buffers=1")
        return source
    scheme = _SCHEME.match(source)
    if scheme and scheme[1].lower() not in _STREAMS:
        raise ValueError(
            f"use a file, /dev/video<n> or an address that starts with {', '.join((*_STREAMS, PIPELINE))}"
        )
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
    """A video file, a folder of pictures, a V4L2 device (`/dev/video0` or `0`), an RTSP or HTTP address,
    or `gstreamer:` and a pipeline."""
    loop: bool = False
    """Files only: play again from the start at the end."""
    pace: Literal["real", "fast"] = "real"
    """Files only: at the video's own rate, or as fast as it can be looked at."""
    pixel_format: PixelFormat = "auto"
    width: int = Field(default=0, ge=0, le=10_000)
    height: int = Field(default=0, ge=0, le=10_000)
    fps: float = Field(default=0.0, ge=0.0, le=240.0)
    """Devices only: what the camera is asked for; 0 and auto leave it as it is."""

    detect_fps: float = Field(default=5.0, ge=0.1, le=30.0)
    """Frames that are looked at in a second; searched are only those in which something moved."""
    motion: float = Field(default=0.002, ge=0.0, le=1.0)
    """The part of the picture that must change to be worth a search; 0 searches whatever is looked at."""
    ignore: Annotated[tuple[Area, ...], BeforeValidator(areas_of)] = ()
    """Areas in which neither motion nor faces count: `x,y,width,height;...` in parts of the picture."""
    finder: Literal["yunet", "yunet-opencv", "haar"] = "yunet"
    model: str = "/opt/facefleet/face_detection_yunet_2023mar.onnx"
    input_px: int = Field(default=640, ge=160, le=1920)
    """YuNet only: the longer side of what it sees. In 1080p, 640 finds faces from about 30 pixels on."""
    min_face_px: int = Field(default=24, ge=1, le=10_000)
    score_threshold: float = Field(default=0.75, ge=0.0, le=1.0)
    """What a face must have to be followed."""
    follow_threshold: float = Field(default=0.5, ge=0.0, le=1.0)
    """What it must have to go on being followed. Both for YuNet only: Haar has no score that compares."""
    lost_s: float = Field(default=1.5, ge=0.0, le=60.0)
    """Who is not seen for so long is gone."""

    first_shot_s: float = Field(default=0.8, ge=0.0, le=60.0)
    """The best picture of so many first seconds is sent at once."""
    better_by: float = Field(default=0.25, ge=0.0, le=10.0)
    better_after_s: float = Field(default=3.0, ge=0.0, le=3600.0)
    max_shots: int = Field(default=3, ge=1, le=1000)
    """Later ones are sent if they are better by this part, so long after the one before, up to so many; the
    last one, at the end, is beside."""
    repeat_s: float = Field(default=300.0, ge=0.0, le=86_400.0)
    """Who stays is sent again after so many seconds; 0 for never."""
    min_quality: float = Field(default=0.1, ge=0.0, le=1.0)
    """Nothing worse is sent."""
    margin: float = Field(default=0.25, ge=0.0, le=2.0)
    """Added to the box on each side, in parts of its width and height."""
    image_format: Format = "png"
    image_quality: int = Field(default=90, ge=1, le=100)
    """Of JPEG and WebP."""

    outbox_max_bytes: int = Field(default=256 * MIB, ge=64 * MIB)
    """What the outbox may take on disk."""
    outbox_when_full: WhenFull = "drop_oldest"
    keep_s: float = Field(default=0.0, ge=0.0)
    """What waits longer for the forwarder is given up; 0 keeps it for ever."""
    clock: Trust = "kernel"
    """How to know that the clock is right."""
    state_dir: str = "/var/lib/facefleet"
    paused_dir: Path = Path("/run/paused")
    """A file of the camera's name in it pauses the camera."""

    @model_validator(mode="after")
    def _only_files_loop(self) -> Self:
        if self.loop and self.source_kind != "file":
            raise ValueError(
                f"FACEFLEET_LOOP=true is impossible with FACEFLEET_SOURCE={self.source_shown!r}: "
                "only a file can be played again; set FACEFLEET_LOOP=false"
            )
        if self.pace == "fast" and self.source_kind != "file":
            raise ValueError(
                f"FACEFLEET_PACE=fast is impossible with FACEFLEET_SOURCE={self.source_shown!r}: "
                "a camera has its own pace; set FACEFLEET_PACE=real"
            )
        return self

    @model_validator(mode="after")
    def _only_devices_are_asked(self) -> Self:
        asked = [name for name in ("pixel_format", "width", "height", "fps") if name in self.model_fields_set]
        if asked and self.source_kind != "device":
            raise ValueError(
                f"FACEFLEET_{asked[0].upper()} is impossible with FACEFLEET_SOURCE={self.source_shown!r}: "
                "only a USB camera (/dev/video<n>) can be asked for that; remove it"
            )
        return self

    @property
    def start_score(self) -> float:
        """Return what a face must have to be followed."""
        return 0.0 if self.finder == "haar" else self.score_threshold

    @property
    def pipeline(self) -> str:
        """Return the GStreamer pipeline."""
        return self.source.removeprefix(PIPELINE).strip()

    @property
    def source_kind(self) -> SourceKind:
        """Return what sort of source it is."""
        if self.source.startswith(PIPELINE):
            return "pipeline"
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
