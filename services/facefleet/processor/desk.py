"""Where messages are judged and put, many at once, each until it is stored."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from facefleet.messaging.delivery import Delivery
from facefleet.messaging.properties import MalformedPropertiesError
from facefleet.messaging.receipts import CORRELATION_MOST, Answer
from facefleet.processor.acks import OrderedAcks, Turn
from facefleet.processor.jobs import Jobs
from facefleet.processor.settings import ProcessorSettings
from facefleet.processor.store import Bucket, MayPassError, NeverError, Put
from facefleet.processor.verdict import Parcel, dead_letter, judge
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.health import Health

RETRY_FIRST_S = 0.1
LET_GO_AFTER_TRIES = 5
ROOM_MESSAGES = 5000
CLOSE_WITHIN_S = 5.0
COMPLAIN_EVERY_S = 10.0

_DEVICE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_log = logs.get("processor")
_gauge = Gauge("facefleet_messages_held", "Messages taken and not yet stored")
_stored = Counter("facefleet_faces_stored_total", "Faces in S3", ["device"])
_probes = Counter("facefleet_probes_stored_total", "Probes in S3: no faces, but the proof of the way")
_repeats = Counter("facefleet_repeats_absorbed_total", "Messages that were there already, or being worked on")
_dead = Counter("facefleet_dead_letters_total", "Messages that can never be a face")
_dropped = Counter(
    "facefleet_dropped_for_room_total", "Messages for which there was no room: they come again"
)
_let_go = Counter("facefleet_let_go_total", "Messages that failed while others passed: they come again")
_retries = Counter("facefleet_put_retries_total", "Puts that failed and were tried again")
_seconds = Histogram("facefleet_put_seconds", "Seconds from message to object, retries included")

Reply = Callable[[str, Answer, bytes], None]
"""Device, what became of its message, the message's Correlation Data."""
Tell = Callable[[str, str, bytes], None]
"""Device, camera, and what to tell of a face that is stored."""
Same = tuple[str, bytes, bytes]
"""All that makes two messages the same: topic, attributes and payload. Two with one id need not be."""


@dataclass(slots=True, eq=False)
class Job:
    """One message that is being worked on, and what is owed for each of its copies."""

    same: Same
    delivery: Delivery
    backoff: Backoff
    begun: float
    parcel: Parcel | None = None
    failing_since: float | None = None
    turns: list[Turn] = field(default_factory=list)
    correlations: set[bytes] = field(default_factory=set)
    sent_again: bool = True
    """Each copy's sender waits for a receipt."""

    def add(self, turn: Turn | None, correlation: bytes | None) -> None:
        """Take on a copy; at QoS 0 there is nothing to acknowledge."""
        if turn:
            self.turns.append(turn)
        if correlation:
            self.correlations.add(correlation)
        else:
            self.sent_again = False


class Desk:
    """Takes messages; once one's object is in the bucket, acknowledges and answers each of its copies."""

    def __init__(
        self, settings: ProcessorSettings, bucket: Bucket, health: Health, reply: Reply, tell: Tell
    ) -> None:
        self._image_max_bytes = settings.image_max_bytes
        self._room_bytes = settings.room_bytes
        self._retry_most_s = settings.retry_most_s
        self._bucket = bucket
        self._health = health
        self._reply = reply
        self._tell = tell
        self._lock = threading.Lock()
        self._held: dict[Same, Job] = {}
        self._held_bytes = 0
        _gauge.set_function(lambda: len(self._held))
        self._acks = OrderedAcks()
        self._jobs: Jobs[Job] = Jobs()
        self._closing = False
        self._last_put = time.monotonic()
        self._complaint = ""
        self._complained_at = 0.0
        self._workers = [
            threading.Thread(target=self._work_on, name=f"put-{number}", daemon=True)
            for number in range(settings.puts_at_once)
        ]
        for worker in self._workers:
            worker.start()

    # --- on the network thread: never blocks ---

    def take(self, delivery: Delivery) -> None:
        """Start to work on a message, unless it is being worked on."""
        if self._closing:
            return
        same, correlation = _identified(delivery)
        turn = self._acks.arrive(delivery.acknowledge) if delivery.qos else None
        with self._lock:
            job = self._held.get(same)
            if job:
                job.add(turn, correlation)
                _repeats.inc()
                return
            has_room = self._has_room(delivery)
            if has_room:
                job = Job(same, delivery, Backoff(RETRY_FIRST_S, self._retry_most_s), time.monotonic())
                job.add(turn, correlation)
                self._held[same] = job
                self._held_bytes += len(delivery.payload)
        if job:
            self._jobs.add(job)
            return
        _dropped.inc()
        if turn:
            self._acks.finish(turn)

    def lost(self) -> None:
        """Note that the connection ended: nothing that came on it can be acknowledged any more."""
        self._acks.forget()

    def _has_room(self, delivery: Delivery) -> bool:
        if not self._held:
            return True  # however large it is
        fits = self._held_bytes + len(delivery.payload) <= self._room_bytes
        return fits and len(self._held) < ROOM_MESSAGES

    # --- on the workers' threads ---

    def _work_on(self) -> None:
        while job := self._jobs.take():
            try:
                parcel, put = self._store(job)
            except MayPassError as error:
                self._failed(job, str(error))
            else:
                self._passed()
                self._finish(job, parcel, put)

    def _store(self, job: Job) -> tuple[Parcel, Put]:
        """Put a message's object, or its dead letter if S3 never takes it, or an empty one at least."""
        if job.parcel is None:
            job.parcel = self._judged(job.delivery)
        try:
            return job.parcel, self._bucket.put(job.parcel)
        except NeverError:
            self._bucket.probe()  # or is it the bucket that is to blame?
        try:
            return job.parcel, self._bucket.put(job.parcel)
        except NeverError as error:
            reason = str(error)
        letter = dead_letter(job.delivery, f"S3 never takes it: {reason}")
        for form in (letter, letter.without_body()):
            try:
                return form, self._bucket.put(form)
            except NeverError as error:
                reason = str(error)
        raise MayPassError(f"bucket takes neither {job.parcel.key} nor its dead letter: {reason}")

    def _judged(self, delivery: Delivery) -> Parcel:
        try:
            return judge(delivery, self._image_max_bytes)
        except Exception as error:  # noqa: BLE001
            # Whatever it is, it would end each processor that the message comes to, one after the other.
            _log.exception("cannot be judged", topic=delivery.topic)
            return dead_letter(delivery, f"cannot be judged: {type(error).__name__}")

    def _failed(self, job: Job, reason: str) -> None:
        """Try again later. What alone fails again and again is let go: it would hold up all behind it."""
        now = time.monotonic()
        _retries.inc()
        self._complain(reason, now)
        job.failing_since = job.failing_since or now
        alone = self._last_put > job.failing_since
        if job.backoff.tries >= LET_GO_AFTER_TRIES and alone and job.sent_again:
            _let_go.inc()
            self._forget(job)
            for turn in job.turns:
                self._acks.finish(turn)
        else:
            self._jobs.later(job, job.backoff.next_s())

    def _finish(self, job: Job, parcel: Parcel, put: Put) -> None:
        self._forget(job)
        seconds = time.monotonic() - job.begun
        _seconds.observe(seconds)
        self._account(parcel, put, seconds)
        device = job.delivery.topic.split("/")[1] if job.correlations else ""
        if _DEVICE.fullmatch(device):
            answer = Answer.DEAD if parcel.rejected else Answer.STORED
            for correlation in job.correlations:
                self._reply(device, answer, correlation)
        for turn in job.turns:
            self._acks.finish(turn)

    def _forget(self, job: Job) -> None:
        """From now on a copy is a new message."""
        with self._lock:
            del self._held[job.same]
            self._held_bytes -= len(job.delivery.payload)

    def _account(self, parcel: Parcel, put: Put, seconds: float) -> None:
        size = len(parcel.upload.body)
        if put is Put.ALREADY_THERE:
            _repeats.inc()
        if parcel.rejected:
            _dead.inc()
            _log.warning("dead letter", key=parcel.key, size=size, reason=parcel.rejected)
            return
        if put is Put.STORED and parcel.is_probe:
            _probes.inc()
        elif put is Put.STORED:
            _stored.labels(device=parcel.device).inc()
            self._tell(parcel.device, parcel.upload.metadata["camera"], parcel.notice())
        _log.info(put.value, key=parcel.key, size=size, ms=round(seconds * 1000))

    # --- the bucket's health ---

    def await_bucket(self, stop: threading.Event) -> None:
        """Wait until the bucket takes puts, or until told to stop."""
        backoff = Backoff(most_s=self._retry_most_s)
        while not self.probe() and not stop.wait(backoff.next_s()):
            pass

    def probe_if_idle(self, after_s: float) -> None:
        """Keep the health true when no face has come by for so many seconds."""
        if time.monotonic() - self._last_put > after_s and not self._held:
            self.probe()

    def probe(self) -> bool:
        """Return whether the bucket takes puts."""
        try:
            self._bucket.probe()
        except MayPassError as error:
            self._complain(str(error), time.monotonic())
            return False
        self._passed()
        return True

    def _complain(self, reason: str, now: float) -> None:
        """Say what is wrong with the bucket, once for all workers and again every few seconds."""
        self._health.bad("bucket", reason)
        if reason != self._complaint or now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complaint, self._complained_at = reason, now
            _log.warning("put failed, trying again", reason=reason, waiting=len(self._held))

    def _passed(self) -> None:
        self._last_put = time.monotonic()
        self._health.good("bucket", "the last put succeeded")
        if self._complaint:
            self._complaint = ""
            _log.info("bucket takes puts again")
            self._jobs.hurry()

    def close(self) -> None:
        """Finish what is here, unless the bucket is away; the rest is sent again by who sent it."""
        self._closing = True
        self._jobs.close(discard=bool(self._complaint))
        deadline = time.monotonic() + CLOSE_WITHIN_S
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))


def _identified(delivery: Delivery) -> tuple[Same, bytes | None]:
    """Return what makes a message the same as another, and what a receipt for it has to carry, if any."""
    try:
        hop = delivery.hop
    except MalformedPropertiesError:
        return (delivery.topic, delivery.properties_raw, delivery.payload), None
    correlation = hop.correlation
    if correlation and len(correlation) > CORRELATION_MOST:
        correlation = None
    return (delivery.topic, hop.end_to_end, delivery.payload), correlation or None
