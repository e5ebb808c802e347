"""The forwarder's story: from the edge broker to the disk, from there to the cloud, until a receipt comes."""

import threading
from datetime import UTC, datetime

from facefleet.courier.courier import Courier
from facefleet.courier.figures import Figures
from facefleet.custody.entry import Accounts
from facefleet.custody.errors import SpoolError
from facefleet.custody.spool import Spool
from facefleet.forwarder.bulletin import Bulletin
from facefleet.forwarder.host import host_of
from facefleet.forwarder.intake import Intake
from facefleet.forwarder.release import running_release, updates
from facefleet.forwarder.report import OFFLINE, Report, Standing, camera_statuses
from facefleet.forwarder.settings import ForwarderSettings
from facefleet.forwarder.way import CONNECTED, NOT_YET, Way
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.link import SESSION_FOR_EVER_S, Link, Will
from facefleet.messaging.loop import Loop
from facefleet.messaging.receipts import Answer, Receipts
from facefleet.runtime import clock
from facefleet.runtime.certificate import Certificate
from facefleet.runtime.health import Health
from facefleet.runtime.moment import Moment, iso
from facefleet.runtime.service import ServiceError

CONDITIONS = ("edge_broker", "cloud_broker", "spool")
FRESH_BYTES = 2 * 1024 * 1024
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
            clock=settings.clock,
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
        self._settings = settings
        self._spool = spool
        self._loop = Loop("forwarder")
        self._figures = Figures(spool)
        self._report = Report(settings.device, settings.spool_max_bytes)
        self._started = Moment.now()
        self._connection = NOT_YET
        self._way = Way()
        identity = settings.cloud_identity
        self._certificate = Certificate(identity.certificate if identity else None)
        self._authorities = Certificate(identity.ca if identity else None)
        self._show_cloud = health.follow("cloud_broker")
        self._probes_topic = topics.camera_receipts(settings.device, topics.PROBE)
        status_topic = topics.device_status(settings.device)
        will = Will(status_topic, OFFLINE)
        self._courier = Courier(
            spool,
            settings.cloud_broker,
            f"{settings.device}-forwarder",
            receipts_topic=topics.receipts(settings.device),
            limits=settings.limits,
            identity=identity,
            qos=settings.qos,
            on_state=self._cloud_turned,
            on_probe=self._pass_on,
            will=will,
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
            will=will,
            loop=self._loop,
        )
        self._receipts = Receipts(self._edge)
        self._at_edge = Bulletin(self._edge, status_topic)
        self._in_cloud = Bulletin(self._courier.link, status_topic)
        self._bulletins = (self._at_edge, self._in_cloud)
        self._intake = Intake(
            spool,
            self._receipts,
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
        self._say_goodbye(self._at_edge)
        self._edge.stop()
        self._intake.close()
        self._say_goodbye(self._in_cloud)
        self._courier.stop()
        self._loop.stop()
        self._spool.close()

    def _take(self, delivery: Delivery) -> None:
        if delivery.topic.startswith("status/"):
            self._report.hear(delivery)
        else:
            self._intake.take(delivery)

    def _tell(self) -> None:
        """Say the status soon after it changed, on both brokers: at least one is in reach of an operator."""
        standing, accounts = self._standing(), self._spool.accounts()
        news = self._report.news(standing, accounts)
        if due := [bulletin for bulletin in self._bulletins if bulletin.due(news)]:
            payload = self._encoded("online", standing, accounts)
            for bulletin in due:
                bulletin.tell(payload, news)
        self._loop.after(STATUS_ON_CHANGE_S, self._tell)

    def _encoded(self, state: str, standing: Standing, accounts: Accounts) -> bytes:
        return self._report.encoded(state, standing, host_of(self._settings.state_dir), accounts)

    def _standing(self) -> Standing:
        """Look how the device stands."""
        self._way.turn(
            self._connection if self._connection != CONNECTED else self._courier.trouble or CONNECTED
        )
        receipt = self._courier.last_receipt
        return Standing(
            said=iso(datetime.now(UTC)),
            started=self._started.said(),
            release=running_release(self._settings.shown_dir),
            cloud=self._way.standing,
            cloud_since=self._way.since.said(),
            last_receipt=receipt.said() if receipt else None,
            clock=clock.standing(self._settings.clock),
            certificate_ends=self._certificate.ends(),
            certificate=next(iter(self._certificate.prints()), None),
            trusts=self._authorities.prints(),
            pull=updates(self._settings.shown_dir),
        )

    def _say_goodbye(self, bulletin: Bulletin) -> None:
        told = threading.Event()
        bulletin.say(self._encoded("stopped", self._standing(), self._spool.accounts()), told)
        told.wait(LAST_STATUS_S)

    def _cloud_turned(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
        self._connection = CONNECTED if connected else detail
        self._show_cloud(connected, detail)

    def _pass_on(self, probe: bytes, answer: Answer) -> None:
        """Tell who sent a probe what the cloud made of it."""
        self._receipts.add(self._probes_topic, answer, probe)
