"""The detector's story: a frame comes in, the pipeline chooses its shots, and each goes out as one event."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from facefleet.detector import figures
from facefleet.detector.crop import CONTENT_TYPES, encoded
from facefleet.detector.finding.choose import choose_finder
from facefleet.detector.outbox import Outbox
from facefleet.detector.pause import Pause
from facefleet.detector.pipeline import Pipeline, Sent
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.sources.frame import CameraGoneError
from facefleet.detector.sources.source import check_source, open_source, paced
from facefleet.detector.status import OFFLINE, Reporter, Status
from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent, Shot, new_id
from facefleet.messaging.link import Outcome, Will
from facefleet.runtime import clock, logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.health import Health
from facefleet.runtime.moment import iso

CONDITIONS = ("camera", "broker")
FRAME_WITHIN_S = 15.0
"""A camera that is silent for longer is not well."""
LAST_FACES_S = 5.0
LAST_STATUS_S = 1.0
TELL_EVERY_S = 0.2
PAUSED = "paused"

_log = logs.get("detector")


def run(settings: DetectorSettings, health: Health, stop: threading.Event) -> None:
    """Watch the camera and publish its faces until told to stop.

    Raises:
        ServiceError: when the model, the file or the state folder is missing or unusable.
    """
    check_source(settings)
    detector = Detector(settings, health)
    detector.start()
    detector.watch(stop)
    detector.finish()


class Detector:
    """One camera and its way to the edge broker."""

    def __init__(self, settings: DetectorSettings, health: Health) -> None:
        """Put the parts together; see `run`."""
        self._settings = settings
        self._health = health
        self._finder = figures.Timed(choose_finder(settings))
        self._camera = "starting"
        self._frames = 0
        self._last_face: str | None = None
        self._pause = Pause(settings.paused_dir / settings.camera)
        self._status_topic = topics.camera_status(settings.device, settings.camera)
        self._outbox = Outbox(
            settings,
            on_state=health.follow("broker"),
            will=Will(self._status_topic, OFFLINE, qos=1, retain=True),
        )
        self._reporter = Reporter(lambda: self._status("online"), self._say_status)
        self._finished = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="status", daemon=True)

    def start(self) -> None:
        """Connect, and begin to send what is captured."""
        self._outbox.courier.start()
        self._teller.start()

    def watch(self, stop: threading.Event) -> None:
        """Search frames until told to stop; a camera that is gone is tried again, for as long as it takes."""
        backoff = Backoff()
        self._pause.start(stop)
        while not stop.is_set():
            leave = self._pause.interruption()
            if self._pause.on:
                self._rest(stop)
                continue
            try:
                self._watch_once(leave, backoff)
            except CameraGoneError as error:
                wait_s = backoff.next_s()
                self._say_gone(str(error), wait_s)
                leave.wait(wait_s)
            else:
                if not leave.is_set():
                    self._say_ended()
                    leave.wait()

    def finish(self) -> None:
        """Let the forwarder have what is held, for a few seconds, say goodbye and disconnect."""
        deadline = time.monotonic() + LAST_FACES_S
        while self._outbox.account().held and time.monotonic() < deadline:
            time.sleep(TELL_EVERY_S)
        self._finished.set()
        self._teller.join()
        held = self._outbox.account().held
        if held:
            _log.info("stopping; the outbox keeps what the forwarder does not have", faces=held)
        said = threading.Event()
        self._say_status(self._status("stopped").encoded(), said.set)
        said.wait(LAST_STATUS_S)
        self._outbox.close()

    def _rest(self, stop: threading.Event) -> None:
        """Leave the camera closed while it is paused; what is held goes on to be sent."""
        _log.info("paused", camera=self._settings.camera)
        self._camera = PAUSED
        figures.camera_paused()
        self._health.good("camera", self._camera)
        while self._pause.on and not stop.wait(TELL_EVERY_S):
            pass
        if not stop.is_set():
            _log.info("resumed", camera=self._settings.camera)
            self._camera = "starting"
            figures.camera_lost()
            self._health.good("camera", valid_s=FRAME_WITHIN_S + 1 / self._settings.detect_fps)

    def _watch_once(self, leave: threading.Event, backoff: Backoff) -> None:
        """Look at frames until told to leave or the source ends or is lost; who was there then is gone."""
        fps = self._settings.detect_fps
        pipeline = Pipeline(self._settings, self._finder, self._outbox.next_track)
        try:
            with closing(open_source(self._settings, leave)) as source:
                for frame in paced(source, fps):
                    look = pipeline.look(frame)
                    figures.looked(look)
                    self._frames += 1
                    self._keep(look.shots)
                    backoff.reset()
                    self._camera = "ok"
                    self._health.good("camera", valid_s=FRAME_WITHIN_S + 1 / fps)
        finally:
            self._keep(pipeline.finish())

    def _keep(self, shots: Sequence[Sent]) -> None:
        """Put shots into the outbox, one event each."""
        if not shots:
            return
        first = self._outbox.next_sequence
        events = [self._event(sent, sequence) for sequence, sent in enumerate(shots, first)]
        self._outbox.keep(events)
        self._last_face = iso(max(event.time for event in events))
        for event, (_, shot) in zip(events, shots, strict=True):
            figures.sent(last=shot.last)
            _log.debug(
                "captured",
                sequence=event.sequence,
                track=event.track,
                shot=shot.number,
                quality=round(shot.quality, 3),
                box=str(event.box),
                reason=shot.reason,
            )

    def _event(self, sent: Sent, sequence: int) -> FaceEvent:
        sight, settings = sent.shot.picture, self._settings
        return FaceEvent(
            device=settings.device,
            camera=settings.camera,
            id=new_id(),
            time=sight.time,
            sequence=sequence,
            track=sent.track,
            score=sight.face.score,
            box=sight.face.box,
            image=encoded(sight.crop, settings.image_format, settings.image_quality),
            content_type=CONTENT_TYPES[settings.image_format],
            clock_known=self._clock_known(),
            shot=Shot(
                number=sent.shot.number,
                last=sent.shot.last,
                quality=sent.shot.quality,
                frame=sight.frame_size,
                landmarks=tuple((round(x), round(y)) for x, y in sight.face.landmarks or ()),
            ),
        )

    def _tell(self) -> None:
        """Keep the status true while the camera is watched."""
        while not self._finished.wait(TELL_EVERY_S):
            self._reporter.report_due()

    def _clock_known(self) -> bool:
        return clock.known_right(self._settings.clock)

    def _status(self, state: str) -> Status:
        account = self._outbox.account()
        return Status(
            state=state,
            camera=self._camera,
            captured=account.captured,
            handed_on=account.handed_on,
            given_up=account.given_up,
            held=account.held,
            frames=self._frames,
            clock=clock.standing(self._settings.clock),
            last_face=self._last_face,
        )

    def _say_status(self, payload: bytes, done: Callable[[], None]) -> None:
        def answered(_outcome: Outcome) -> None:
            done()

        self._outbox.courier.link.publish(self._status_topic, payload, qos=1, retain=True, done=answered)

    def _say_ended(self) -> None:
        _log.info("played to its end", camera=self._settings.camera, source=self._settings.source)
        self._camera = "played to its end"
        figures.camera_lost()
        self._health.good("camera", self._camera)

    def _say_gone(self, reason: str, wait_s: float) -> None:
        self._camera = reason
        figures.camera_lost()
        self._health.bad("camera", f"{self._settings.source_shown}: {reason}")
        _log.warning(
            "camera gone, trying again",
            camera=self._settings.camera,
            source=self._settings.source_shown,
            reason=reason,
            seconds=round(wait_s, 1),
        )
