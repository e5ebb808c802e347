"""The detector's story: a frame comes in, its new faces are decided on, and each goes out as one event."""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from prometheus_client import Counter

from facefleet.detector.crop import crop
from facefleet.detector.finder import Face, choose_finder
from facefleet.detector.outgoing import Outgoing
from facefleet.detector.repeats import Sightings
from facefleet.detector.sequence import Numbers
from facefleet.detector.settings import DetectorSettings
from facefleet.detector.source import CameraGoneError, Frame, check_source, open_source
from facefleet.detector.status import OFFLINE, Reporter, Status
from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent, new_id
from facefleet.messaging.link import Link, Outcome, Will, publish_event
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.health import Health

CONDITIONS = ("camera", "broker")
FRAME_WITHIN_S = 15.0
"""A camera that is silent for longer is not well."""
LAST_FACES_S = 5.0
LAST_STATUS_S = 1.0

_log = logs.get("detector")
_frames = Counter("facefleet_frames_read_total", "Frames that were searched for faces")
_captured = Counter("facefleet_faces_captured_total", "Faces that were worth an event")


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
        self._numbers = Numbers(Path(settings.state_dir) / f"{settings.camera}.json")
        self._sightings = Sightings(settings.repeat_s, self._numbers.track + 1)
        self._camera = "starting"
        self._frames = 0

        self._status_topic = topics.camera_status(settings.device, settings.camera)
        faces = topics.faces(settings.topic_prefix, settings.device, settings.camera)
        self._link = Link(
            settings.broker,
            f"{settings.device}-{settings.camera}-detector",
            qos=settings.qos,
            on_state=health.follow("broker"),
            will=Will(self._status_topic, OFFLINE, qos=1, retain=True),
        )
        self._outgoing = Outgoing(
            lambda event, done: publish_event(self._link, faces, event, done), settings.pending_max
        )
        self._reporter = Reporter(lambda: self._status("online"), self._say_status)
        self._finished = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="outgoing", daemon=True)

    def start(self) -> None:
        """Connect, and begin to send what is captured."""
        self._link.start()
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
        """Let the broker have what is pending, for a few seconds, say goodbye and disconnect."""
        deadline = time.monotonic() + LAST_FACES_S
        while self._outgoing.pending and time.monotonic() < deadline:
            self._outgoing.wait()
        self._finished.set()
        self._teller.join()
        if self._outgoing.pending:
            _log.warning("stopping with faces that the broker does not have", faces=self._outgoing.pending)
        said = threading.Event()
        self._say_status(self._status("stopped").encoded(), said.set)
        said.wait(LAST_STATUS_S)
        self._link.stop()

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
        for face, track in self._sightings.worth_sending(faces, time.monotonic()):
            event = self._event(frame, face, track)
            _captured.inc()
            _log.debug(
                "captured",
                sequence=event.sequence,
                track=track,
                score=round(face.score, 3),
                box=str(face.box),
            )
            self._outgoing.offer(event)

    def _event(self, frame: Frame, face: Face, track: int) -> FaceEvent:
        return FaceEvent(
            device=self._settings.device,
            camera=self._settings.camera,
            id=new_id(),
            time=frame.time,
            sequence=self._numbers.next(track),
            track=track,
            score=face.score,
            box=face.box,
            image=crop(frame.image, face.box, self._settings.margin),
        )

    def _tell(self) -> None:
        """Keep events and status flowing out while the camera is watched."""
        while not self._finished.is_set():
            self._outgoing.wait()
            self._outgoing.send_due()
            self._reporter.report_due()

    def _status(self, state: str) -> Status:
        return Status(
            state=state,
            camera=self._camera,
            captured=self._numbers.sequence,
            published=self._outgoing.published,
            pending=self._outgoing.pending,
            given_up=self._outgoing.given_up,
            frames=self._frames,
        )

    def _say_status(self, payload: bytes, done: Callable[[], None]) -> None:
        def answered(_outcome: Outcome) -> None:
            done()

        self._link.publish(self._status_topic, payload, qos=1, retain=True, done=answered)

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
