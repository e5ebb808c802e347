"""The outbox: an event is on the disk before it counts as captured, and stays until the forwarder has it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from prometheus_client import Counter

from facefleet.courier.courier import Courier
from facefleet.courier.figures import Figures
from facefleet.courier.letter import letter_of
from facefleet.courier.limits import Limits
from facefleet.custody.entry import Kept
from facefleet.custody.errors import SpoolError
from facefleet.custody.spool import Spool
from facefleet.detector.counted import counted_before
from facefleet.detector.settings import DetectorSettings
from facefleet.messaging import topics
from facefleet.messaging.event import FaceEvent
from facefleet.messaging.link import Will
from facefleet.runtime import logs
from facefleet.runtime.service import ServiceError

LIMITS = Limits(window=20, priority="oldest", receipt_timeout_s=5.0, retry_most_s=30.0)

_log = logs.get("detector")
_refused = Counter("facefleet_faces_refused_total", "Faces given up because the outbox had no room")


class Account(NamedTuple):
    """captured = handed_on + given_up + held."""

    captured: int
    handed_on: int
    given_up: int
    held: int


class Outbox:
    """One camera's events that the forwarder does not have yet."""

    def __init__(
        self, settings: DetectorSettings, *, on_state: Callable[[bool, str], None], will: Will
    ) -> None:
        """Open it and make ready to carry.

        Raises:
            ServiceError: when the state folder is missing or unusable.
        """
        state = Path(settings.state_dir)
        folder = state / f"outbox-{settings.camera}"
        try:
            self._spool = Spool(
                folder,
                max_bytes=settings.outbox_max_bytes,
                when_full=settings.outbox_when_full,
                clock=settings.clock,
            )
        except SpoolError as error:
            raise ServiceError(f"{error} (FACEFLEET_STATE_DIR={state})") from error
        self._figures = Figures(self._spool)
        self._before = counted_before(state / f"{settings.camera}.json")
        self._topic = topics.faces(settings.topic_prefix, settings.device, settings.camera)
        self._refused = 0
        self.courier = Courier(
            self._spool,
            settings.broker,
            f"{settings.device}-{settings.camera}-detector",
            receipts_topic=topics.camera_receipts(settings.device, settings.camera),
            limits=replace(LIMITS, keep_s=settings.keep_s),
            identity=settings.broker_identity,
            qos=settings.qos,
            on_state=on_state,
            will=will,
        )

    @property
    def next_sequence(self) -> int:
        """Return the number of the next event, 1 at first; it goes on across restarts."""
        return self._before.sequence + self._spool.accounts().taken + 1

    @property
    def next_track(self) -> int:
        """Return a track number that none before had: each track has had an event at least."""
        return max(self._before.track + 1, self.next_sequence)

    def keep(self, events: Sequence[FaceEvent]) -> None:
        """Put the events of one frame on the disk."""
        kept = self._spool.append([letter_of(self._topic, event).entry() for event in events])
        refused = sum(each is Kept.REFUSED for each in kept)
        if refused:
            self._refused += refused
            _refused.inc(refused)
            _log.warning(
                "face given up: the outbox is full",
                faces=refused,
                remedy="see why the forwarder takes none, free the disk, or choose another outbox_when_full",
            )
        self.courier.nudge()

    def account(self) -> Account:
        """Return what became of all that was captured, in all time."""
        accounts = self._spool.accounts()
        given_up = accounts.given_up + accounts.damaged + accounts.rejected + self._refused
        handed_on = self._before.sequence + accounts.handed_on
        return Account(handed_on + given_up + accounts.held, handed_on, given_up, accounts.held)

    def close(self) -> None:
        """Stop carrying and close; what is held is carried after the next start."""
        self.courier.stop()
        self._spool.close()
