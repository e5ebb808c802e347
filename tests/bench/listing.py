"""A stub of an S3 server that lists very many keys, at S3's page size. Pictures are all the same.

Source: S3 ListObjectsV2, HeadObject, GetObject.
"""

import http.server
import multiprocessing
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.conftest import encoded
from tests.integration.waiting import await_until, free_port

PAGE = 1000
DEVICES, CAMERAS, FACES_A_DAY = 50, ("gate", "yard"), 100
NEWEST = datetime(2026, 11, 24, tzinfo=UTC)
BUCKET = "faces"


def keys_of(number: int) -> list[str]:
    """Return so many keys, in order: of 50 devices with two cameras each, a hundred faces a day."""
    days = number // (DEVICES * len(CAMERAS) * FACES_A_DAY)
    keys = []
    for device in range(DEVICES):
        for camera in CAMERAS:
            for day in range(days):
                begin = NEWEST - timedelta(days=day)
                for face in range(FACES_A_DAY):
                    at = begin + timedelta(seconds=face * 864 + device)
                    keys.append(
                        f"faces/device-{device:03d}/{camera}/{at:%Y/%m/%d}/"
                        f"{at:%Y%m%dT%H%M%S}.000Z-{device:08x}{day:08x}{face:016x}.png"
                    )
    return sorted(keys)


@contextmanager
def served(number: int) -> Iterator[str]:
    """Serve a bucket of so many keys from a process of its own; yield its address."""
    port = free_port()
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_serve, args=(port, number, ready), daemon=True)
    process.start()
    try:
        await_until(ready.is_set, 60, "the stub lists")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join(10)


def _serve(port: int, number: int, ready: object) -> None:
    _Handler.keys = keys_of(number)
    _Handler.picture = encoded("PNG", 7)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    ready.set()  # type: ignore[attr-defined]
    server.serve_forever()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    keys: list[str]
    picture: bytes

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if "list-type" in query:
            self._answer(self._listing(query).encode(), "application/xml")
        else:
            self._object(unquote(address.path).removeprefix(f"/{BUCKET}/"))

    def do_HEAD(self) -> None:
        self._object(unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/"))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _object(self, key: str) -> None:
        track = int(key[-8:-4], 16) // 2
        self._answer(self.picture, "image/png", {"x-amz-meta-track": str(track), "x-amz-meta-quality": "0.5"})

    def _answer(self, body: bytes, content_type: str, more: dict[str, str] | None = None) -> None:
        self.send_response(200)
        headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "ETag": '"x"'}
        for name, value in (headers | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _listing(self, query: dict[str, str]) -> str:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        at = bisect_left(self.keys, query.get("continuation-token", prefix))
        found: list[str] = []
        while at < len(self.keys) and self.keys[at].startswith(prefix) and len(found) < PAGE:
            key = self.keys[at]
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                found.append(
                    f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-24T00:00:00.000Z</LastModified>"
                    "<ETag>&quot;x&quot;</ETag><Size>20000</Size><StorageClass>STANDARD</StorageClass></Contents>"
                )
                at += 1
            else:
                found.append(f"<CommonPrefixes><Prefix>{escape(key[: cut + 1])}</Prefix></CommonPrefixes>")
                at = bisect_left(self.keys, key[:cut] + chr(ord(delimiter) + 1))
        more = at < len(self.keys) and self.keys[at].startswith(prefix)
        token = f"<NextContinuationToken>{escape(self.keys[at])}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><KeyCount>{len(found)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(found)}</ListBucketResult>"
        )
