"""`GET /fleet.json`: the roster, for the other containers of the stack."""

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from facefleet.fleet.device import write_time
from facefleet.fleet.roster import utc_now
from facefleet.watch.post import Post

PATH = "/fleet.json"
ASK_WITHIN_S = 10.0


@contextlib.contextmanager
def serve(port: int, post: Post) -> Iterator[None]:
    """Answer until the end of the block, on all addresses of the container."""

    class Page(BaseHTTPRequestHandler):
        """One request."""

        timeout = ASK_WITHIN_S

        def do_GET(self) -> None:
            now = utc_now()
            if urlsplit(self.path).path != PATH:
                self._answer(HTTPStatus.NOT_FOUND, f"there is {PATH} here, and nothing else\n", "text/plain")
            elif since := post.deaf(now):
                reason = f"no connection to the broker since {write_time(since)}: look at the broker\n"
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, reason, "text/plain")
            else:
                self._answer(HTTPStatus.OK, post.as_json(now), "application/json")

        def _answer(self, status: HTTPStatus, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing: it is asked every few seconds."""

    server = ThreadingHTTPServer(("", port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="page", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
