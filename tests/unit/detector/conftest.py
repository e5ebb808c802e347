"""Real videos and the real model, which `make unit` gets."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from facefleet.detector.finder import YuNetFinder
from facefleet.detector.source import Image

from tests.demo_files import DEMO, present

Clip = Callable[[str], Path]
Stream = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture(scope="session")
def clip() -> Clip:
    return lambda name: present(DEMO / "clips" / name)


@pytest.fixture(scope="session")
def model() -> Path:
    return present(DEMO / "model" / "face_detection_yunet_2023mar.onnx")


@pytest.fixture(scope="session")
def yunet(model: Path) -> YuNetFinder:
    return YuNetFinder(model, score_threshold=0.75, min_face_px=20)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 1 s at 50 fps whose every frame tells its number by its brightness (5 a frame)."""
    file = tmp_path_factory.mktemp("video") / "stripes.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (64, 48))
    for number in range(50):
        writer.write(np.full((48, 64, 3), number * 5, np.uint8))
    writer.release()
    return file


def number_of(image: Image) -> int:
    """Which frame of `stripes` it is."""
    return round(float(image.mean()) / 5)


@pytest.fixture
def stream() -> Stream:
    """A camera that sends `stripes`-like pictures as MJPEG over HTTP at 50 fps."""

    @contextlib.contextmanager
    def serve(*, ends_after: int = 10_000, stalls_after: int = 10_000) -> Iterator[str]:
        over = threading.Event()

        class Camera(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for number in range(ends_after):
                        picture = np.full((48, 64, 3), number % 50 * 5, np.uint8)
                        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        if over.wait(60 if number == stalls_after else 0.02):
                            return

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/camera.mjpg"
        finally:
            over.set()
            server.shutdown()
            server.server_close()

    return serve
