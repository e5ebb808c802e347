"""`python -m tests.bench.detector.endurance`: an hour's video, and a camera that goes a hundred times."""

import argparse
import http.server
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from facefleet.detector.finding.choose import choose_finder
from facefleet.detector.pipeline import Pipeline
from facefleet.detector.sources.frame import CameraGoneError
from facefleet.detector.sources.live import LiveSource
from facefleet.detector.sources.playback import FileSource

from tests.bench.detector.measured import settings_for
from tests.bench.table import say

TELL_EVERY_S = 600.0
GROWTH_MOST = 0.05
"""From the first tenth on, in parts of what is there then."""


def hour(clip: Path, seconds: float) -> bool:
    """Play a clip again and again; return whether memory stayed as it was."""
    settings = settings_for(clip)
    pipeline = Pipeline(settings, choose_finder(settings))
    begun, next_told, not_before = time.monotonic(), 0.0, 0.0
    first = looks = shots = 0
    with closing(FileSource(clip, threading.Event(), loop=True, fast=True)) as source:
        while (frame := source.read(not_before)) and frame.at < seconds:
            not_before = frame.at + 1 / settings.detect_fps
            shots += len(pipeline.look(frame).shots)
            looks += 1
            if not first and frame.at >= seconds / 10:
                first = _memory()
            if frame.at >= next_told:
                next_told += min(TELL_EVERY_S, seconds / 6)
                say(f"{frame.at:6.0f} s of video, {looks} looks, {shots} shots, {_memory() / 1e6:.1f} MB")
    grown = _memory() / first - 1
    say(f"{seconds:.0f} s of video in {time.monotonic() - begun:.0f} s; memory grew by {grown:.1%}")
    return grown <= GROWTH_MOST


def comings(times: int) -> bool:
    """Unplug a camera so many times; return whether it came back each time and left nothing open."""
    stop = threading.Event()
    first: tuple[int, int] | None = None
    with camera() as url:
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


@contextmanager
def camera() -> Iterator[str]:
    """Serve MJPEG over HTTP that ends after a few frames, every time."""

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
            self.end_headers()
            with suppress(OSError):
                for number in range(8):
                    jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), number * 9, np.uint8))[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
                    time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/camera.mjpg"
    finally:
        server.shutdown()
        server.server_close()


def _open() -> tuple[int, int]:
    """Return how many threads and files this process has."""
    return threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def _settled() -> None:
    """Wait until the camera's thread has let go."""
    deadline = time.monotonic() + 5
    while any(thread.name == "camera" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


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
