"""The processor's story: a message comes in, its object goes to S3, and then it is acknowledged."""

import threading

from facefleet.messaging import topics
from facefleet.messaging.link import SESSION_FOR_EVER_S, Link
from facefleet.processor.desk import Desk
from facefleet.processor.settings import ProcessorSettings
from facefleet.processor.store import Bucket
from facefleet.runtime.health import Health

CONDITIONS = ("broker", "bucket")
PROBE_EVERY_S = 30.0


def run(settings: ProcessorSettings, health: Health, stop: threading.Event) -> None:
    """Store faces until told to stop."""
    desk = Desk(settings, Bucket(settings, settings.puts_at_once, settings.encryption), health, stop)
    desk.await_bucket()
    link = Link(
        settings.broker,
        settings.client_id,
        session_expiry_s=SESSION_FOR_EVER_S,
        receive_maximum=settings.window,
        qos=settings.qos,
        subscriptions=[topics.all_faces(settings.topic_prefix)],
        on_message=desk.take,
        on_state=health.follow("broker"),
    )
    if not stop.is_set():
        link.start()
    while not stop.wait(PROBE_EVERY_S):
        desk.probe_if_idle(PROBE_EVERY_S)
    link.stop()  # what is not acknowledged comes again
    desk.close()
