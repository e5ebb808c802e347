"""The gallery's story: faces are told or found, noted in the index, and shown to who is signed in."""

import threading
import urllib.request

import uvicorn

from facefleet.gallery.bucket import Bucket
from facefleet.gallery.crawler import Crawler
from facefleet.gallery.index import Index
from facefleet.gallery.live import Notices, Watchers
from facefleet.gallery.people import People
from facefleet.gallery.pictures import Thumbnails
from facefleet.gallery.sessions import Sessions
from facefleet.gallery.settings import GallerySettings
from facefleet.gallery.throttle import Throttle
from facefleet.gallery.web.app import application
from facefleet.gallery.web.parts import Parts, page_templates
from facefleet.runtime.health import Health
from facefleet.runtime.service import ServiceError

CONDITIONS = ("broker", "web")
"""Not the bucket: its pages say when it cannot be read, and no release shall fail for it."""
FLEET_WITHIN_S = 5.0
STOP_WITHIN_S = 5


def run(settings: GallerySettings, health: Health, stop: threading.Event) -> None:
    """Show faces until told to stop.

    Raises:
        ServiceError: when the state folder or the port cannot be used.
    """
    try:
        index = Index(settings.state_dir / "index.db")
        sessions = Sessions(settings.state_dir / "sessions.db", settings.session_hours)
    except OSError as error:
        raise ServiceError(
            f"{settings.state_dir} cannot be used: {error}: let our user write there"
        ) from error
    bucket = Bucket(settings)
    watchers = Watchers()
    crawler = Crawler(bucket, index)
    notices = Notices(settings, index, watchers, health.follow("broker"))
    fleet = settings.fleet_url
    parts = Parts(
        bucket=bucket,
        index=index,
        crawler=crawler,
        thumbnails=Thumbnails(bucket, settings.thumbnails_bytes),
        watchers=watchers,
        people=People(settings.people_file),
        sessions=sessions,
        throttle=Throttle(),
        fleet=(lambda: _fetched(str(fleet))) if fleet else None,
        https=settings.https,
        session_s=settings.session_hours * 3600,
        templates=page_templates(has_fleet=fleet is not None),
    )
    web = Web(settings, parts)
    crawling = threading.Thread(target=crawler.run, args=(stop,), name="crawler")
    notices.start()
    crawling.start()
    web.start()
    health.good("web")
    stop.wait()
    notices.stop()
    watchers.end()
    web.stop()
    crawling.join(STOP_WITHIN_S)
    sessions.close()


class Web:
    """The web server, on a thread of its own."""

    def __init__(self, settings: GallerySettings, parts: Parts) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(parts),
                host=settings.address,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=settings.https,
                forwarded_allow_ips="*",  # only the proxy of the stack reaches us then
                timeout_graceful_shutdown=STOP_WITHIN_S,
                lifespan="off",
                ws="none",
            )
        )
        self._thread = threading.Thread(target=self._serve, name="web")

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being served, and end."""
        self._server.should_exit = True
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.run()
        except SystemExit as error:  # it says so when the port is taken
            raise ServiceError(f"port {self._server.config.port} cannot be used") from error


def _fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=FLEET_WITHIN_S) as answer:  # noqa: S310 - of our own settings
        return bytes(answer.read())
