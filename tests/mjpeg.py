"""A camera that sends MJPEG over HTTP, on the loopback."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2
import numpy as np


@contextmanager
def mjpeg_camera(*, ends_after: int = 10_000, stalls_after: int = 10_000) -> Iterator[str]:
    """Serve, to everybody who asks, pictures at 50 fps each a little brighter; yield the address."""
    over = threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
            self.end_headers()
            with suppress(OSError):
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
