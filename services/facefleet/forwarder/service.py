"""The forwarder's story: from the edge broker to the disk, from there to the cloud, until a receipt comes."""

import threading
import time

from facefleet.courier.courier import Courier
from facefleet.courier.figures import Figures
from facefleet.custody.errors import SpoolError
from facefleet.custody.spool import Spool
from facefleet.forwarder.intake import Intake
from facefleet.forwarder.report import OFFLINE, Report, camera_statuses
from facefleet.forwarder.settings import ForwarderSettings
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.link import SESSION_FOR_EVER_S, Link, Outcome, Will
from facefleet.messaging.loop import Loop
from facefleet.messaging.receipts import Receipts
from facefleet.runtime.health import Health
from facefleet.runtime.service import ServiceError

CONDITIONS = ("edge_broker", "cloud_broker", "spool")
FRESH_BYTES = 2 * 1024 * 1024
STATUS_EVERY_S = 30.0
STATUS_ON_CHANGE_S = 2.0
LAST_STATUS_S = 1.0


def run(settings: ForwarderSettings, health: Health, stop: threading.Event) -> None:
    """Carry messages until told to stop.

    Raises:
        ServiceError: when the spool cannot be opened.
    """
    try:
        spool = Spool(
            settings.state_dir / "spool",
            max_bytes=settings.spool_max_bytes,
            when_full=settings.spool_when_full,
            fresh_bytes=FRESH_BYTES,
        )
    except SpoolError as error:
        raise ServiceError(str(error)) from error
    forwarder = Forwarder(settings, health, spool)
    forwarder.start()
    stop.wait()
    forwarder.stop()


class Forwarder:
    """One device's way to the cloud. Both links and the courier run on one loop."""

    def __init__(self, settings: ForwarderSettings, health: Health, spool: Spool) -> None:
        """Put the parts together; see `run`."""
        self._spool = spool
        self._loop = Loop("forwarder")
        self._figures = Figures(spool)
        self._report = Report(settings.device)
        self._status_topic = topics.device_status(settings.device)
        self._said: tuple[int, int] | None = None
        """Events taken and held, as told last."""
        self._said_at = 0.0
        self._courier = Courier(
            spool,
            settings.cloud_broker,
            f"{settings.device}-forwarder",
            receipts_topic=topics.receipts(settings.device),
            limits=settings.limits,
            identity=settings.cloud_identity,
            qos=settings.qos,
            on_state=health.follow("cloud_broker"),
            will=Will(self._status_topic, OFFLINE),
            loop=self._loop,
        )
        self._faces = topics.faces(settings.topic_prefix, settings.device, "+")
        self._edge = Link(
            settings.broker,
            f"{settings.device}-forwarder",
            identity=settings.broker_identity,
            session_expiry_s=SESSION_FOR_EVER_S,
            qos=settings.qos,
            receive_maximum=settings.take_window,
            subscriptions=[self._faces, camera_statuses(settings.device)],
            on_message=self._take,
            on_state=health.follow("edge_broker"),
            loop=self._loop,
        )
        self._intake = Intake(
            spool,
            Receipts(self._edge),
            self._loop,
            batch_most=settings.batch_most,
            batch_s=settings.batch_ms / 1000,
            unwritten_most=4 * settings.take_window,
            on_kept=self._courier.nudge,
            on_room=health.follow("spool"),
        )

    def start(self) -> None:
        """Begin to take and to carry."""
        self._loop.start()
        self._courier.start()
        self._edge.start()
        self._loop.call(self._tell)

    def stop(self) -> None:
        """Take no more, write what was taken, say goodbye. What is held stays on the disk."""
        self._edge.stop()
        self._intake.close()
        told = threading.Event()
        self._say("stopped", told)
        told.wait(LAST_STATUS_S)
        self._courier.stop()
        self._loop.stop()
        self._spool.close()

    def _take(self, delivery: Delivery) -> None:
        if delivery.topic.startswith("status/"):
            self._report.hear(delivery)
        else:
            self._intake.take(delivery)

    def _tell(self) -> None:
        """Say the status every few seconds, and soon after it changed."""
        accounts = self._spool.accounts()
        now = time.monotonic()
        counts = accounts.taken, accounts.held
        if counts != self._said or now - self._said_at >= STATUS_EVERY_S:
            self._said, self._said_at = counts, now
            self._say("online")
        self._loop.after(STATUS_ON_CHANGE_S, self._tell)

    def _say(self, state: str, told: threading.Event | None = None) -> None:
        def done(outcome: Outcome) -> None:
            if outcome is Outcome.UNSENT:
                self._said = None  # it is news at the next look
            if told:
                told.set()

        self._courier.link.publish(
            self._status_topic,
            self._report.encoded(state, self._spool.accounts()),
            qos=1,
            retain=True,
            done=done,
        )
