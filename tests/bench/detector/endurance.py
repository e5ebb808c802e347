"""`python -m tests.bench.detector.endurance`: an hour's video, and a camera that goes a hundred times."""

import argparse
import os
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import cv2
from facefleet.detector.finding.choose import choose_finder
from facefleet.detector.pipeline import Pipeline
from facefleet.detector.sources.frame import CameraGoneError
from facefleet.detector.sources.live import LiveSource
from facefleet.detector.sources.playback import FileSource
from facefleet.detector.sources.source import paced

from tests.bench.detector.measured import settings_for
from tests.bench.measure import resident_mb
from tests.bench.table import say
from tests.mjpeg import mjpeg_camera

TELL_EVERY_S = 600.0
FRAMES = 8
"""That a camera gives before it is unplugged."""
GROWTH_MOST = 0.05
"""From the first tenth on, in parts of what is there then."""


def hour(clip: Path, seconds: float) -> bool:
    """Play a clip again and again; return whether memory stayed as it was."""
    settings = settings_for(clip)
    pipeline = Pipeline(settings, choose_finder(settings))
    begun, next_told, first = time.monotonic(), 0.0, 0.0
    looks = shots = 0
    with closing(FileSource(clip, threading.Event(), loop=True, fast=True)) as source:
        for frame in paced(source, settings.detect_fps):
            if frame.at >= seconds:
                break
            shots += len(pipeline.look(frame).shots)
            looks += 1
            if not first and frame.at >= seconds / 10:
                first = resident_mb(os.getpid())
            if frame.at >= next_told:
                next_told += min(TELL_EVERY_S, seconds / 6)
                memory = resident_mb(os.getpid())
                say(f"{frame.at:6.0f} s of video, {looks} looks, {shots} shots, {memory:.1f} MB")
    grown = resident_mb(os.getpid()) / first - 1
    say(f"{seconds:.0f} s of video in {time.monotonic() - begun:.0f} s; memory grew by {grown:.1%}")
    return grown <= GROWTH_MOST


def comings(times: int) -> bool:
    """Unplug a camera so many times; return whether it came back each time and left nothing open."""
    stop = threading.Event()
    first: tuple[int, int] | None = None
    with mjpeg_camera(ends_after=FRAMES) as url:
        for number in range(times):
            with closing(LiveSource(url, cv2.CAP_FFMPEG, stop)) as source, suppress(CameraGoneError):
                frames = 0
                while source.read():
                    frames += 1
            if not frames:
                say(f"time {number + 1}: no frame came")
                return False
            _settled()
            if number == times // 10:
                first = _open()
    last = _open()
    say(f"the camera went and came back {times} times; threads and files {first} then, {last} now")
    return first is not None and all(now <= then + 2 for now, then in zip(last, first, strict=True))


def _open() -> tuple[int, int]:
    """Return how many threads and files this process has."""
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def _settled() -> None:
    """Wait until the camera's thread has let go."""
    deadline = time.monotonic() + 5
    while any(thread.name == "camera" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--times", type=int, default=100)
    options = parser.parse_args()
    results = [comings(options.times), hour(options.clip, options.seconds)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
