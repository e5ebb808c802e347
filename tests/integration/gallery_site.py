"""A gallery with all that feeds it: broker, S3 server, processor, watch."""

import json
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from http.cookiejar import CookieJar
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
from facefleet.detector.crop import cut, encoded
from facefleet.detector.finding.yunet_opencv import YuNetOpenCV
from facefleet.gallery.people import hashed
from facefleet.messaging.event import FaceEvent, Shot

from tests.conftest import MakeEvent
from tests.demo_files import CLIP, MODEL, present
from tests.integration.certificates import Authority
from tests.integration.containers import Broker, S3Server, succeeds
from tests.integration.sender import Sender
from tests.integration.services import Service
from tests.integration.waiting import free_port

PERSON, PASSWORD = "anna", "correct horse battery"
PICTURES = 24


class GallerySite:
    """Everything runs when this is made."""

    def __init__(
        self, broker: Broker, s3: S3Server, bucket: str, folder: Path, make_event: MakeEvent, **more: str
    ) -> None:
        """`more` are settings of the gallery."""
        self.s3 = s3
        self.broker = broker
        self.state = folder / "state"
        self.state.mkdir()
        self.people = folder / "people.json"
        self.people.write_text(json.dumps({PERSON: _hash()}))
        self.port, self.fleet_port = free_port(), free_port()
        self.prefix = f"faces-{secrets.token_hex(4)}"
        self._make_event = make_event
        self._sender: dict[str, Sender] = {}
        common = {"FACEFLEET_BROKER": broker.url, "FACEFLEET_TOPIC_PREFIX": self.prefix}
        self.bucket = bucket
        cloud = Authority(folder / "authority").issue("cloud", ("localhost",))
        place = {"FACEFLEET_BUCKET": bucket, "FACEFLEET_S3_ENDPOINT": s3.url}
        self.watch = Service(
            "watch",
            folder / "watch",
            common
            | {
                "FACEFLEET_FLEET_PORT": str(self.fleet_port),
                "FACEFLEET_ROSTER_FILE": str(folder / "roster.json"),
                "FACEFLEET_CLOUD_CERTIFICATE": str(cloud.certificate),
                "FACEFLEET_CLOUD_AUTHORITY": str(cloud.ca),
            },
        )
        self.processor = Service(
            "processor",
            folder / "processor",
            common | place | {"AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials("processor"))},
        )
        self.gallery = Service(
            "gallery",
            folder / "gallery",
            common
            | place
            | {
                "AWS_SHARED_CREDENTIALS_FILE": str(s3.credentials("gallery")),
                "FACEFLEET_ADDRESS": "127.0.0.1",
                "FACEFLEET_PORT": str(self.port),
                "FACEFLEET_PEOPLE_FILE": str(self.people),
                "FACEFLEET_STATE_DIR": str(self.state),
                "FACEFLEET_CLIENT_ID": f"gallery-{secrets.token_hex(4)}",
                "FACEFLEET_FLEET_URL": f"http://127.0.0.1:{self.fleet_port}/fleet.json",
            }
            | more,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        admin = self.s3.client("admin")
        succeeds(lambda: admin.create_bucket(Bucket=self.bucket), 60)
        self.s3.await_put(self.bucket, 60)
        for service in (self.processor, self.watch, self.gallery):
            service.start()
        for service in (self.processor, self.watch, self.gallery):
            service.await_healthy()

    def close(self) -> None:
        for sender in self._sender.values():
            sender.close()
        for service in (self.gallery, self.watch, self.processor):
            if service.running:
                service.stop()

    def store(self, *events: FaceEvent) -> None:
        """Send events as their devices do, and wait until all are stored."""
        for event in events:
            if event.device not in self._sender:
                self._sender[event.device] = Sender(self.broker.url, event.device, self.prefix)
            self._sender[event.device].send(event)
        for sender in self._sender.values():
            sender.await_receipts()

    def visit(
        self, device: str, camera: str, track: int, at: datetime, *, pictures: int = 2, best: int = 1
    ) -> list[FaceEvent]:
        """Return the events of one visit; picture number `best`, from 0, is the best."""
        return [
            self._make_event(
                device=device,
                camera=camera,
                track=track,
                time=at + timedelta(seconds=3 * number),
                image=faces()[(track + number) % PICTURES],
                shot=Shot(
                    number=number + 1,
                    last=number == pictures - 1,
                    quality=0.9 if number == best else 0.4,
                    frame=(640, 360),
                    landmarks=(),
                ),
            )
            for number in range(pictures)
        ]

    def stored(self) -> list[str]:
        admin = self.s3.client("admin")
        pages = admin.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="faces/")
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


class Visitor:
    """Somebody at the gallery's door without a browser."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), _StayHere()
        )

    def get(self, path: str, **headers: str) -> "Answer":
        return self._ask(urllib.request.Request(self._url + path, headers={"Accept": "text/html"} | headers))

    def first_event(self, path: str, **headers: str) -> tuple[str, str]:
        """Return the mark and the card of the first event of a stream."""
        request = urllib.request.Request(self._url + path, headers=headers)
        with self._opener.open(request, timeout=20) as stream:
            event = [line.decode().rstrip() for line in takewhile(bytes.strip, _from_the_first_mark(stream))]
        said = dict(line.split(": ", 1) for line in event)
        return said["id"], json.loads(said["data"])["card"]

    def post(self, path: str, origin: str | None = None, **fields: str) -> "Answer":
        headers = {"Origin": self._url if origin is None else origin}
        return self._ask(
            urllib.request.Request(self._url + path, urlencode(fields).encode(), headers, method="POST")
        )

    def sign_in(self, name: str = PERSON, password: str = PASSWORD) -> "Answer":
        return self.post("/sign-in", name=name, password=password)

    def _ask(self, request: urllib.request.Request) -> "Answer":
        try:
            with self._opener.open(request, timeout=10) as answer:
                return Answer(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers.items()), error.read())


class Answer:
    """What the gallery said."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def cards(self) -> list[str]:
        """Return the keys of the faces that the page shows first of each visit."""
        return re.findall(r'<a class="card" href="/face/([^"]+)"', self.text)


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _from_the_first_mark(stream: Iterable[bytes]) -> Iterator[bytes]:
    return dropwhile(lambda line: not line.startswith(b"id: "), stream)


@cache
def faces() -> Sequence[bytes]:
    """Return real faces, PNG."""
    finder = YuNetOpenCV(present(MODEL), 0.7, 640)
    capture = cv2.VideoCapture(str(present(CLIP)))
    found: list[bytes] = []
    while len(found) < PICTURES:
        for _ in range(15):
            capture.read()
        frame = np.asarray(capture.read()[1], np.uint8)
        found.append(encoded(cut(frame, finder.find(frame)[0].box, 0.25), "png", 90))
    return found


@cache
def _hash() -> str:
    return hashed(PASSWORD)


def running(site: GallerySite) -> Iterator[GallerySite]:
    """Yield it while it runs, for a fixture."""
    try:
        site.start()
        yield site
    finally:
        site.close()
