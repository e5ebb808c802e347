"""The watch's story: a device says its status, the roster takes it, and whoever asks is shown it."""

import contextlib
import secrets
import threading

from facefleet.fleet.device import read_time
from facefleet.fleet.foundation import Foundation
from facefleet.messaging import topics
from facefleet.messaging.link import Link
from facefleet.runtime import logs
from facefleet.runtime.certificate import Certificate
from facefleet.runtime.health import Health
from facefleet.watch.figures import Figures
from facefleet.watch.page import serve
from facefleet.watch.post import Post
from facefleet.watch.roster_file import load, save
from facefleet.watch.settings import WatchSettings

CONDITIONS = ("broker", "roster")
SAVE_EVERY_S = 5.0
STATUS_MOST_BYTES = 512 * 1024
"""A device that says more is not heard, so that it cannot take our memory."""

_log = logs.get("watch")


def run(settings: WatchSettings, health: Health, stop: threading.Event) -> None:
    """Watch until told to stop."""
    cloud, authority = Certificate(settings.cloud_certificate), Certificate(settings.cloud_authority)
    post = Post(
        load(settings.roster_file), lambda: Foundation(read_time(cloud.ends()), read_time(authority.ends()))
    )
    Figures(post)
    show_broker = health.follow("broker")

    def turned(connected: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
        post.turned(connected=connected)
        show_broker(connected, detail)

    link = Link(
        settings.broker,
        f"watch-{secrets.token_hex(6)}",
        identity=settings.broker_identity,
        packet_maximum=STATUS_MOST_BYTES,
        qos=settings.qos,
        subscriptions=[topics.device_status("+")],
        on_message=post.hear,
        on_state=turned,
    )
    page = serve(settings.fleet_port, post) if settings.fleet_port else contextlib.nullcontext()
    with page:
        link.start()
        keep(settings, post, health, stop)
        link.stop()
    keep_once(settings, post, health)


def keep(settings: WatchSettings, post: Post, health: Health, stop: threading.Event) -> None:
    """Write the roster every few seconds if there is news, until told to stop."""
    keep_once(settings, post, health)
    while not stop.wait(SAVE_EVERY_S):
        keep_once(settings, post, health)


def keep_once(settings: WatchSettings, post: Post, health: Health) -> None:
    """Write the roster if there is news; a disk that does not take it is no reason to watch no more."""
    text = post.news()
    if text is None:
        return
    try:
        save(settings.roster_file, text)
    except OSError as error:
        post.unsaved()
        remedy = "make room on its disk; after a restart nobody knows since when a device is as it is"
        _log.error("roster not written", file=str(settings.roster_file), reason=error.strerror, remedy=remedy)
        health.bad("roster", f"{settings.roster_file}: {error.strerror}: {remedy}")
    else:
        health.good("roster")
