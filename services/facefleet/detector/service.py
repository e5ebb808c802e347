"""The detector's story: a frame comes in, its new faces are decided on, and each goes out as one event."""

import threading
import time
from collections.abc import Callable
from contextlib import closing

from prometheus_client import Counter

from facefleet.detector.crop import crop
from facefleet.detector.finder import Face, choose_finder
from facefleet.detector.outbox import Outbox
from facefleet.detector.repeats import Sightings
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.source import CameraGoneError, Frame, check_source, open_source
from facefleet.detector.status import OFFLINE, Reporter, Status
from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent, new_id
from facefleet.messaging.link import Outcome, Will
from facefleet.runtime import clock, logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.health import Health

CONDITIONS = ("camera", "broker")
FRAME_WITHIN_S = 15.0
"""A camera that is silent for longer is not well."""
LAST_FACES_S = 5.0
LAST_STATUS_S = 1.0
TELL_EVERY_S = 0.2

_log = logs.get("detector")
_frames = Counter("facefleet_frames_read_total", "Frames that were searched for faces")


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
        self._finder = choose_finder(settings)
        self._camera = "starting"
        self._frames = 0
        self._status_topic = topics.camera_status(settings.device, settings.camera)
        self._outbox = Outbox(
            settings,
            on_state=health.follow("broker"),
            will=Will(self._status_topic, OFFLINE, qos=1, retain=True),
        )
        self._sightings = Sightings(settings.repeat_s, self._outbox.next_track)
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
        while not stop.is_set():
            try:
                self._watch_once(stop, backoff)
            except CameraGoneError as error:
                wait_s = backoff.next_s()
                self._say_gone(str(error), wait_s)
                stop.wait(wait_s)
            else:
                break
        if not stop.is_set():
            _log.info("played to its end", camera=self._settings.camera, source=self._settings.source)
            self._camera = "played to its end"
            self._health.good("camera", self._camera)
            stop.wait()

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

    def _watch_once(self, stop: threading.Event, backoff: Backoff) -> None:
        """Search frames until the source ends or is lost."""
        with closing(open_source(self._settings, stop)) as source:
            while frame := source.read():
                next_look = time.monotonic() + 1 / self._settings.detect_fps
                self._look(frame)
                backoff.reset()
                self._camera = "ok"
                self._health.good("camera", valid_s=FRAME_WITHIN_S + 1 / self._settings.detect_fps)
                stop.wait(max(0.0, next_look - time.monotonic()))

    def _look(self, frame: Frame) -> None:
        """Send each face of a frame that was not sent just before."""
        self._frames += 1
        _frames.inc()
        faces = self._finder.find(frame.image)
        first = self._outbox.next_sequence
        events = [
            self._event(frame, face, track, sequence)
            for sequence, (face, track) in enumerate(
                self._sightings.worth_sending(faces, time.monotonic()), first
            )
        ]
        if events:
            self._outbox.keep(events)
        for event in events:
            _log.debug(
                "captured",
                sequence=event.sequence,
                track=event.track,
                score=round(event.score, 3),
                box=str(event.box),
            )

    def _event(self, frame: Frame, face: Face, track: int, sequence: int) -> FaceEvent:
        return FaceEvent(
            device=self._settings.device,
            camera=self._settings.camera,
            id=new_id(),
            time=frame.time,
            sequence=sequence,
            track=track,
            score=face.score,
            box=face.box,
            image=crop(frame.image, face.box, self._settings.margin),
            clock_known=self._clock_known(),
        )

    def _tell(self) -> None:
        """Keep the status true while the camera is watched."""
        while not self._finished.wait(TELL_EVERY_S):
            self._reporter.report_due()

    def _clock_known(self) -> bool:
        return self._settings.clock == "trusted" or clock.known_right()

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
            clock="right" if self._clock_known() else "unsynchronized",
        )

    def _say_status(self, payload: bytes, done: Callable[[], None]) -> None:
        def answered(_outcome: Outcome) -> None:
            done()

        self._outbox.courier.link.publish(self._status_topic, payload, qos=1, retain=True, done=answered)

    def _say_gone(self, reason: str, wait_s: float) -> None:
        self._camera = reason
        self._health.bad("camera", f"{self._settings.source_shown}: {reason}")
        _log.warning(
            "camera gone, trying again",
            camera=self._settings.camera,
            source=self._settings.source_shown,
            reason=reason,
            seconds=round(wait_s, 1),
        )
