"""One run: look, ask, fetch, apply, tell. Whatever stops it, the next run goes on."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from facefleet.puller import archive, memory, order, plan, play, words
from facefleet.puller.depot import Depot, DepotError
from facefleet.puller.engine import Engine, EngineError
from facefleet.puller.faces import Listener
from facefleet.puller.fetch import Fetcher, FetchError, Store
from facefleet.puller.order import Order, OrderError
from facefleet.puller.renewal import Keeper, RenewalError
from facefleet.puller.settings import PullerSettings
from facefleet.puller.words import Standing, State
from facefleet.runtime import clock, logs

NO_ORDER = "no order is open for this device yet: promote, or wait for the ring before it"
EDGE_BROKER = "facefleet-edge-broker-1"

_log = logs.get("puller")


class Waits(Exception):  # noqa: N818 - no error: the next run goes on
    """It cannot go on now; the text says why and what helps."""


def run(settings: PullerSettings) -> State:
    """Do one run, and return how the device stands."""
    settings.state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _alone(settings.state_dir / "run.lock") as alone:
        if not alone:
            _log.info("another run is at work")
            return "waiting"
        return Run(settings).whole()


@contextmanager
def _alone(file: Path) -> Iterator[bool]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


class Run:
    """What one run knows."""

    def __init__(self, settings: PullerSettings) -> None:
        self._settings = settings
        self._depot = Depot(settings.depot, settings.device, settings.identity)
        self._engine = Engine(settings.engine_socket)
        self._keeper = Keeper(settings.identity_dir)
        self._memory_file = settings.state_dir / "state.json"
        self._memory = memory.load(self._memory_file)
        blobs = settings.cache_dir / "blobs"
        blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = Store(blobs)
        self._signature = ""
        """Of the newest order."""

    def whole(self) -> State:
        """Converge to the newest order that may be tried."""
        trouble = self._renew()
        wanted = self._applied()
        try:
            self._check_clock()
            wanted = self._newest() or wanted
        except (Waits, DepotError, OrderError) as error:
            trouble = str(error)
        if wanted is None:
            return self._tell("waiting", "", trouble or NO_ORDER)
        if wanted.serial != self._memory.serial:
            failure = self._memory.failure_of(wanted.serial)
            if failure is None or not failure.waits(time.time()):
                return self._try(wanted)
            self._converge()
            return self._tell("failed", wanted.edition, words.after(failure))
        trouble = self._converge() or trouble
        return self._stand(wanted, trouble)

    def _check_clock(self) -> None:
        """A wrong clock makes sound certificates look bad: name the clock, not them."""
        now = datetime.now(UTC)
        says = f"{now:%Y-%m-%d %H:%M} UTC"
        if now.timestamp() < clock.RELEASED:
            raise Waits(
                f"this device's clock says {says}, which is wrong: let it reach a time server (port 123 out)"
            )
        try:
            ours = self._keeper.certificate()
        except RenewalError as error:
            raise Waits(str(error)) from error
        known = "" if clock.known_right(self._settings.clock) else ", which nothing has set right"
        if now < ours.not_valid_before_utc:
            raise Waits(
                f"this device's clock says {says}{known}, and its certificate begins "
                f"{ours.not_valid_before_utc:%Y-%m-%d}: let it reach a time server"
            )
        if now > ours.not_valid_after_utc:
            raise Waits(
                f"this device's certificate ended {ours.not_valid_after_utc:%Y-%m-%d}, and its clock says "
                f"{says}{known}: "
                "if the clock is wrong, let it reach a time server; or else enrol the device anew"
            )

    def _newest(self) -> Order | None:
        """Return the depot's order once it is checked, or None."""
        answer = self._depot.order()
        if answer is None:
            return None
        text, signature = answer
        newest = self._checked(text, signature)
        if (
            newest.serial < self._memory.serial
        ):  # a ring that closed behind us, or one who plays back what was
            _log.info("the depot has an older order", serial=newest.serial, applied=self._memory.serial)
            return None
        self._signature = signature
        return newest

    def _applied(self) -> Order | None:
        """Return the order that was applied last; its signature counts as on the first day."""
        if not self._memory.order:
            return None
        try:
            return self._checked(self._memory.order, self._memory.signature)
        except OrderError as error:
            _log.warning("what was applied last cannot be checked", reason=str(error))
            return None

    def _checked(self, text: str, signature: str) -> Order:
        try:
            signer = self._settings.signer.read_bytes()
        except OSError as error:
            raise OrderError(
                f"{self._settings.signer} cannot be read ({error.strerror}): enrol the device anew"
            ) from error
        order.verify(text, signature, signer)
        return order.read(text, self._settings.device)

    def _try(self, wanted: Order) -> State:
        """Apply an order that is not the one applied last."""
        try:
            self._tell("fetching", wanted.edition)
            self._bring(wanted)
            self._tell("applying", wanted.edition)
            self._trust(wanted)
            hindered = self._play(wanted)
        except (Waits, FetchError, EngineError, DepotError, play.Busy) as error:
            return self._tell("waiting", wanted.edition, str(error))
        except play.Failed as failed:
            return self._note_failure(wanted, str(failed))
        self._memory = self._memory.applied(wanted.serial, wanted.edition, wanted.text, self._signature)
        memory.save(self._memory_file, self._memory)
        self._store.keep_only([wanted.playbooks])
        return self._stand(wanted, hindered)

    def _note_failure(self, wanted: Order, why: str) -> State:
        """A gate wants a link: what fails while the depot is away may be no fault of the release."""
        try:
            self._depot.order()
        except DepotError as error:
            why = f"the link went while the release was tried ({error}): the next run tries again"
            return self._tell("waiting", wanted.edition, why)
        self._memory = self._memory.failed(wanted.serial, why, time.time())
        memory.save(self._memory_file, self._memory)
        return self._tell("failed", wanted.edition, why)

    def _converge(self) -> str:
        """Bring the host back to what was applied last, and return why it could not be."""
        applied = self._applied()
        if applied is None:
            return ""
        try:
            self._bring(applied)
            self._trust(applied)
            hindered = self._play(applied)
        except (Waits, FetchError, EngineError, DepotError, play.Busy, play.Failed) as error:
            return str(error)
        self._store.keep_only([applied.playbooks])
        return hindered

    def _bring(self, wanted: Order) -> None:
        """Fetch what lacks, and let the engine have it."""
        lacking = plan.missing(wanted.images, self._engine.images())
        layers = plan.needed_layers(lacking, self._engine.layers()) if lacking else {}
        blobs = [wanted.playbooks, *plan.blobs(lacking, layers)]
        # Those of what runs stay: if this one fails, the host goes back to it.
        applied = self._applied()
        self._store.keep_only([*blobs, *([applied.playbooks] if applied else [])])
        if not all(self._store.has(blob) for blob in blobs):
            self._fetch(blobs)
        if lacking:
            made = self._settings.cache_dir / "load.tar"
            try:
                with made.open("wb") as target:
                    archive.write(target, lacking, layers, self._store.folder)
                self._engine.load(made)
            finally:
                made.unlink(missing_ok=True)
        left = plan.missing(lacking, self._engine.images())
        if left:
            raise Waits(
                f"the engine made other images of {', '.join(image.ref for image in left)}: "
                "it may keep them in containerd's store; "
                'switch that off in its daemon.json ("features": {"containerd-snapshotter": false})'
            )

    def _fetch(self, blobs: list[order.Blob]) -> None:
        settings = self._settings
        with Listener(settings.broker, settings.device) as backlog:

            def rate() -> int:
                if not backlog.goes_first(time.monotonic()):
                    return settings.bandwidth_bytes_s
                return min(settings.trickle_bytes_s, settings.bandwidth_bytes_s or settings.trickle_bytes_s)

            began = time.monotonic()
            came = Fetcher(self._depot, self._store, rate, settings.give_up_s).fetch(blobs)
        _log.info("fetched", bytes=came, seconds=round(time.monotonic() - began, 1))

    def _play(self, wanted: Order) -> str:
        settings = self._settings
        playbooks = self._store.folder / wanted.playbooks.sha256
        return play.run(wanted, playbooks, settings.cache_dir / "work", settings.image, settings.cache_dir)

    def _trust(self, wanted: Order) -> None:
        try:
            if self._keeper.trust(wanted.trust):
                _log.info("trusts other authorities now")
        except RenewalError as error:
            raise Waits(str(error)) from error

    def _renew(self) -> str:
        """Renew the certificate when it is time, and return what is wrong with that."""
        try:
            now = datetime.now(UTC)
            if self._keeper.waits:
                pem = self._depot.certificate()
                if pem and self._keeper.take(pem, self._settings.device, now):
                    _log.info("has a new certificate")
                    self._engine.signal(EDGE_BROKER, "HUP")
            if self._keeper.is_due(self._settings.renew_days, now):
                self._depot.request(self._keeper.request())
        except (RenewalError, DepotError, EngineError, OSError) as error:
            return f"its certificate cannot be renewed: {error}"
        return ""

    def _stand(self, wanted: Order, trouble: str) -> State:
        return self._tell("waiting" if trouble else "ok", wanted.edition, trouble)

    def _tell(self, state: State, wants: str, why: str = "") -> State:
        """Show it on the host and tell the depot, if it can be reached."""
        standing = Standing(self._memory.edition, wants, state, why)
        said = standing.said()
        _log.info("stands", **standing._asdict())
        if self._settings.shown_dir.is_dir():
            memory.write(self._settings.shown_dir / "pull.json", (json.dumps(said) + "\n").encode(), 0o644)
        try:
            self._depot.report({**said, "release": self._release()})
        except DepotError as error:
            _log.info("the depot does not hear it", reason=str(error))
        return state

    def _release(self) -> str:
        try:
            return (self._settings.shown_dir / "release").read_text().strip()
        except OSError:
            return ""
