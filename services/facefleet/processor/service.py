"""The processor's story: a message comes in, its object goes to S3, and then its sender gets a receipt."""

import threading

from facefleet.processor.desk import Desk
from facefleet.processor.inbox import MqttInbox
from facefleet.processor.settings import ProcessorSettings
from facefleet.processor.store import Bucket
from facefleet.runtime.health import Health

CONDITIONS = ("broker", "bucket")
PROBE_EVERY_S = 30.0


def run(settings: ProcessorSettings, health: Health, stop: threading.Event) -> None:
    """Store faces until told to stop."""
    inbox = MqttInbox(settings, health)
    desk = Desk(settings, Bucket(settings, settings.encryption), health, inbox.answer, inbox.tell)
    desk.await_bucket(stop)
    if not stop.is_set():
        inbox.open(desk.take, desk.lost)
    while not stop.wait(PROBE_EVERY_S):
        desk.probe_if_idle(PROBE_EVERY_S)
    desk.close()
    inbox.close()
