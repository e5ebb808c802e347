"""Takes messages from the edge broker onto the disk, and only then says so."""

from collections.abc import Callable
from functools import partial

from facefleet.courier.letter import Letter
from facefleet.custody.committer import Committer
from facefleet.custody.entry import Entry, Kept
from facefleet.custody.spool import Spool
from facefleet.messaging import topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.event import MalformedEventError
from facefleet.messaging.loop import Loop
from facefleet.messaging.receipts import CORRELATION_MOST, Answer, Receipts
from facefleet.runtime import logs

RETRY_S = 1.0
FULL = "the spool is full: raise spool_max_bytes or free the disk, or see why the cloud takes nothing"

_log = logs.get("intake")


class Intake:
    """Keeps what comes, acknowledges it, and answers who asked. All on the loop but the writing."""

    def __init__(
        self,
        spool: Spool,
        receipts: Receipts,
        loop: Loop,
        *,
        batch_most: int,
        batch_s: float,
        unwritten_most: int,
        on_kept: Callable[[], None],
        on_room: Callable[[bool, str], None],
    ) -> None:
        """`on_kept` is told of something new in the spool, `on_room` whether there is room."""
        self._receipts = receipts
        self._loop = loop
        self._on_kept = on_kept
        self._on_room = on_room
        self._has_room = True
        self._offers: list[tuple[Delivery, Entry]] = []
        self._unwritten = 0
        self._unwritten_most = unwritten_most
        self._waiting: list[Delivery] = []
        """From publishers that want no answer: the broker holds them for us until there is room."""
        self._committer: Committer[Delivery] = Committer(
            spool,
            lambda batch: loop.call(partial(self._written, batch)),
            batch_most=batch_most,
            batch_s=batch_s,
        )
        on_room(True, "taking")  # noqa: FBT003 - a callback has positional arguments

    def take(self, delivery: Delivery) -> None:
        """Hand a message to the writer; at QoS 0 no window bounds what comes."""
        if delivery.qos == 0 and self._unwritten >= self._unwritten_most:
            self._refuse(delivery)
            return
        self._unwritten += 1
        letter = Letter(delivery.topic.encode(), delivery.hop.end_to_end, delivery.payload)
        self._offers.append((delivery, letter.entry()))
        self._loop.defer(self._offer_all)

    def _offer_all(self) -> None:
        """Hand over all that came in this turn: one lock, and at most one wake."""
        offers, self._offers = self._offers, []
        self._committer.offer_all(offers)

    def close(self) -> None:
        """Write what was handed over, and end."""
        self._committer.close()

    def _written(self, batch: list[tuple[Delivery, Kept]]) -> None:
        """Answer a batch that is on the disk, or found no room there."""
        self._unwritten -= len(batch)
        refused = False
        for delivery, kept in batch:
            if kept is Kept.REFUSED:
                refused = True
                self._refuse(delivery)
            else:
                self._answer(delivery, Answer.KEPT)
                delivery.acknowledge()
        self._note_room(room=not refused)
        self._on_kept()

    def _refuse(self, delivery: Delivery) -> None:
        """Leave a message with its holder: the publisher if it wants an answer, else the broker."""
        if self._answer(delivery, Answer.REFUSED):
            delivery.acknowledge()
        elif delivery.qos == 0:
            _log.warning("lost: no room for a message that nobody holds", topic=delivery.topic)
        else:
            if not self._waiting:
                self._loop.after(RETRY_S, self._take_again)
            self._waiting.append(delivery)

    def _take_again(self) -> None:
        waiting, self._waiting = self._waiting, []
        for delivery in waiting:
            self.take(delivery)

    def _answer(self, delivery: Delivery, answer: Answer) -> bool:
        """Answer on the topic of the camera that the message is of, wherever it asks for."""
        hop = delivery.hop
        if hop.response_topic is None or not hop.correlation or len(hop.correlation) > CORRELATION_MOST:
            return False
        try:
            device, camera = topics.sender(delivery.topic)
        except MalformedEventError:
            return False
        self._receipts.add(topics.camera_receipts(device, camera), answer, hop.correlation)
        return True

    def _note_room(self, *, room: bool) -> None:
        if room is self._has_room:
            return
        self._has_room = room
        if room:
            _log.info("the spool has room again")
            self._on_room(True, "taking")  # noqa: FBT003
        else:
            _log.warning("taking no more", reason=FULL)
            self._on_room(False, FULL)  # noqa: FBT003
