"""Where messages are judged and put, many at once, each until it is stored."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from prometheus_client import Counter, Histogram

from facefleet.messaging.inflight import InFlight, Key
from facefleet.messaging.link import Delivery
from facefleet.processor.settings import ProcessorSettings
from facefleet.processor.store import Bucket, MayPassError, NeverError, Put
from facefleet.processor.verdict import Parcel, dead_letter, judge
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.health import Health

_log = logs.get("processor")
_stored = Counter("facefleet_faces_stored_total", "Faces in S3", ["device"])
_repeats = Counter("facefleet_repeats_absorbed_total", "Messages whose object was there already")
_dead = Counter("facefleet_dead_letters_total", "Messages that can never be a face")
_retries = Counter("facefleet_put_retries_total", "Puts that failed and were tried again")
_seconds = Histogram("facefleet_put_seconds", "Seconds from message to object, retries included")

COMPLAIN_EVERY_S = 10.0


class StoppedError(Exception):
    """The service ends before the bucket took the object; the message will come again."""


class Desk:
    """Takes deliveries and acknowledges each once its object is in the bucket."""

    def __init__(
        self, settings: ProcessorSettings, bucket: Bucket, health: Health, stop: threading.Event
    ) -> None:
        self._image_max_bytes = settings.image_max_bytes
        self._retry_most_s = settings.retry_most_s
        self._bucket = bucket
        self._health = health
        self._stop = stop
        self._in_flight = InFlight()
        self._room = threading.BoundedSemaphore(2 * settings.window)
        """QoS 0 knows no Receive Maximum: without room the network thread waits."""
        self._workers = ThreadPoolExecutor(settings.puts_at_once, thread_name_prefix="put")
        self._last_put = time.monotonic()
        self._complaint = ""
        self._complained_at = 0.0

    def await_bucket(self) -> None:
        """Wait until the bucket takes puts, or until told to stop."""
        try:
            self._until_it_passes(self._bucket.probe)
        except StoppedError:
            return

    def take(self, delivery: Delivery) -> None:
        """Start to work on a message, unless it is being worked on."""
        key = self._in_flight.take(delivery)
        if key is not None:
            self._room.acquire()
            self._workers.submit(self._work, key, delivery).add_done_callback(self._worked)

    def probe_if_idle(self, after_s: float) -> None:
        """Keep the health true when no face has come by for so many seconds."""
        if time.monotonic() - self._last_put > after_s and not len(self._in_flight):
            try:
                self._bucket.probe()
            except MayPassError as error:
                self._complain(str(error))
            else:
                self._praise()

    def close(self) -> None:
        """End the workers; what they hold is not acknowledged and comes again."""
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _work(self, key: Key, delivery: Delivery) -> None:
        begun = time.monotonic()
        parcel = judge(delivery, self._image_max_bytes)
        try:
            put = self._until_it_passes(lambda: self._bucket.put(parcel))
        except NeverError as error:
            parcel = dead_letter(delivery, f"S3 never takes it: {error}").without_body()
            put = self._until_it_passes(lambda: self._bucket.put(parcel))
        self._in_flight.finish(key)
        seconds = time.monotonic() - begun
        _seconds.observe(seconds)
        self._account(parcel, put, seconds)

    def _until_it_passes(self, attempt: Callable[[], Put]) -> Put:
        """Try with backoff for as long as it takes: it holds up acknowledgements, not memory."""
        backoff = Backoff(most_s=self._retry_most_s)
        while True:
            try:
                put = attempt()
            except MayPassError as error:
                _retries.inc()
                wait = backoff.next_s()
                self._complain(str(error))
                if self._stop.wait(wait):
                    raise StoppedError from error
            else:
                self._last_put = time.monotonic()
                self._praise()
                return put

    def _complain(self, reason: str) -> None:
        """Say what is wrong with the bucket, once for all workers and again every few seconds."""
        self._health.bad("bucket", reason)
        now = time.monotonic()
        if reason != self._complaint or now - self._complained_at >= COMPLAIN_EVERY_S:
            self._complaint, self._complained_at = reason, now
            _log.warning("put failed, trying again", reason=reason, waiting=len(self._in_flight))

    def _praise(self) -> None:
        self._health.good("bucket", "the last put succeeded")
        if self._complaint:
            self._complaint = ""
            _log.info("bucket takes puts again")

    def _account(self, parcel: Parcel, put: Put, seconds: float) -> None:
        if put is Put.ALREADY_THERE:
            _repeats.inc()
        if parcel.rejected:
            _dead.inc()
            _log.warning("dead letter", key=parcel.key, size=len(parcel.body), reason=parcel.rejected)
            return
        if put is Put.STORED:
            _stored.labels(device=parcel.device).inc()
        _log.info(put.value, key=parcel.key, size=len(parcel.body), ms=round(seconds * 1000))

    def _worked(self, future: "Future[None]") -> None:
        """Give the room back; an exception that nobody foresaw must not pass unseen."""
        self._room.release()
        if future.cancelled():
            return
        error = future.exception()
        if error is not None and not isinstance(error, StoppedError):
            threading.excepthook(
                threading.ExceptHookArgs(
                    (type(error), error, error.__traceback__, threading.current_thread())
                )
            )
