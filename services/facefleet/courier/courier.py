"""The courier's story: a record leaves the spool, goes over the link, and is let go when its receipt comes.

What the broker answers is no receipt: it acknowledges from memory. Without a receipt in time or after a lost
connection the record is sent again; it may be stored already, so the spool is kept from giving it up. What
surely did not arrive goes back to its place in the spool.
"""

import random
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import Counter
from pydantic import AnyUrl

from facefleet.courier.letter import Letter, UnreadableLetterError
from facefleet.courier.limits import Limits, Priority
from facefleet.courier.pace import Pace
from facefleet.courier.window import Window
from facefleet.custody.entry import Fate, Record, Ticket
from facefleet.custody.spool import Spool
from facefleet.messaging import properties, topics
from facefleet.messaging.delivery import Delivery
from facefleet.messaging.link import Link, Outcome, Will
from facefleet.messaging.loop import Loop
from facefleet.messaging.properties import encode
from facefleet.messaging.receipts import Answer, MalformedReceiptError, decode
from facefleet.runtime import logs
from facefleet.runtime.backoff import Backoff
from facefleet.runtime.identity import Identity
from facefleet.runtime.moment import Moment
from facefleet.runtime.settings import Qos

TICK_S = 0.25
LOOK_FOR_OLD_MOST_S = 60.0
OTHER_END_EVERY = 4
UNWRITTEN_MOST = 1024 * 1024
"""Bytes that wait for the socket: more would only age in memory."""
PAUSE_FIRST_S = 0.25
PAUSE_MOST_S = 5.0
EXPIRES_LATER_S = 2
"""A message that we shall send again need not wait in a broker's queue."""
_FATES = {Answer.STORED: Fate.HANDED_ON, Answer.KEPT: Fate.HANDED_ON, Answer.DEAD: Fate.REJECTED}

_PROBE = f"/{topics.PROBE}".encode()

_expiry = struct.Struct("!BI")
_log = logs.get("courier")
_sent = Counter("facefleet_messages_sent_total", "Messages sent, those sent again included")
_late = Counter("facefleet_receipts_late_total", "Messages whose receipt did not come in time")


@dataclass(slots=True)
class _OnItsWay:
    size: int
    sent_before: bool
    """And it is not known whether it arrived then."""
    due: float = float("inf")
    """When its receipt is late, and not before the broker has it; or until when it waits."""


class Courier:
    """Carries the records of one spool over one link. All on the link's loop."""

    def __init__(
        self,
        spool: Spool,
        url: AnyUrl,
        client_id: str,
        *,
        receipts_topic: str,
        limits: Limits,
        identity: Identity | None = None,
        qos: Qos = 1,
        on_state: Callable[[bool, str], None] | None = None,
        on_probe: Callable[[bytes, Answer], None] | None = None,
        will: Will | None = None,
        loop: Loop | None = None,
    ) -> None:
        """Make ready; receipts are expected on `receipts_topic`.

        `on_probe` is told the id of each probe that has its receipt. One that was settled before a restart
        is sent again, and its receipt comes again.
        """
        self._spool = spool
        self._limits = limits
        self._report_state = on_state or (lambda _connected, _detail: None)
        self._receipts_topic = receipts_topic
        ticket = bytes(12)
        self._hop = encode(response_topic=receipts_topic, correlation=ticket).removesuffix(ticket)
        self._window = Window(limits.window)
        self._pace = Pace(limits.bandwidth_bytes_s)
        self._pause = Backoff(PAUSE_FIRST_S, PAUSE_MOST_S)
        self._paused_until = 0.0
        self._out: dict[Ticket, _OnItsWay] = {}
        self._out_bytes = 0
        self._again: dict[Ticket, None] = {}
        """Sent before, without a receipt, in the order in which they are to be sent again."""
        self._parked: dict[Ticket, _OnItsWay] = {}
        """Refused by the broker one by one; each waits until it is due."""
        self._tries: dict[Ticket, int] = {}
        self._turn = 0
        self._pick = 0
        self._waking = False
        self._look_for_old_at = 0.0
        self.trouble = ""
        """What is wrong beyond the connection, as said last; empty while messages are taken."""
        self.last_receipt: Moment | None = None
        """When the next holder last took something over, since the start."""
        self._on_probe = on_probe
        self._probes: dict[Ticket, bytes] = {}
        """The ids of those on their way."""
        self._ended = False
        self.link = Link(
            url,
            client_id,
            identity=identity,
            qos=qos,
            subscriptions=[receipts_topic],
            on_message=self._hear,
            on_state=self._turned,
            will=will,
            loop=loop,
            on_drained=self._drained,
        )

    def start(self) -> None:
        """Begin to carry."""
        self.link.start()
        self.link.loop.call(self._tick)

    def stop(self) -> None:
        """Stop carrying; what has no receipt stays in the spool."""
        self._ended = True
        self.link.stop()

    def nudge(self) -> None:
        """Say that the spool has something new. Any thread."""
        if self.link.loop.here:
            self.link.loop.defer(self._fill)
        else:
            self.link.loop.call(self._fill)

    def _drained(self) -> None:
        """Go on: the socket has taken most of what it was given."""
        if self._spool.waiting or self._again:
            self.link.loop.defer(self._fill)

    # --- out ---

    def _fill(self) -> None:
        """Send while there is room on the way."""
        sent = 0
        while self._may_send() and self._send_one():
            sent += 1
        if sent:
            _sent.inc(sent)

    def _may_send(self) -> bool:
        if not self.link.connected or self._ended:
            return False
        if len(self._out) + len(self._parked) >= self._window.size:
            return False
        if self._out_bytes >= self._limits.window_bytes or self.link.unwritten >= UNWRITTEN_MOST:
            return False
        now = time.monotonic()
        wait_s = max(self._pace.wait_s(now), self._paused_until - now)
        if wait_s > 0 and not self._waking:
            self._waking = True
            self.link.loop.after(wait_s, self._wake)
        return wait_s <= 0

    def _wake(self) -> None:
        self._waking = False
        self._fill()

    def _send_one(self) -> bool:
        """Send what was sent before and what is new by turns, so that neither waits for all of the other."""
        self._turn += 1
        if len(self._again) >= self._limits.window or self._turn % 2:
            return self._send_again() or self._send_new()
        return self._send_new() or self._send_again()

    def _send_again(self) -> bool:
        while self._again:
            ticket = next(iter(self._again))
            del self._again[ticket]
            record = self._spool.read(ticket)
            if record is not None:
                self._send(record, sent_before=True)
                return True
        return False

    def _send_new(self) -> bool:
        record = self._spool.next(self._end())
        if record is not None:
            self._send(record, sent_before=False)
        return record is not None

    def _end(self) -> Priority:
        """Return which end of the backlog the next one is of: mostly the one that the operator prefers."""
        self._pick += 1
        other = self._pick % OTHER_END_EVERY == 0
        return "newest" if (self._limits.priority == "newest") is not other else "oldest"

    def _send(self, record: Record, *, sent_before: bool) -> None:
        try:
            letter = Letter.read(record.body)
        except UnreadableLetterError as error:
            _log.error(
                "a record in the spool is no message, set aside", ticket=record.ticket, reason=str(error)
            )
            self._spool.release(record.ticket, Fate.DAMAGED)
            return
        ticket = record.ticket
        if letter.topic.endswith(_PROBE) and self._on_probe:
            self._probes[ticket] = (properties.first_user(letter.properties, "id") or "").encode()
        on_its_way = self._out[ticket] = _OnItsWay(len(record.body), sent_before)
        self._out_bytes += on_its_way.size
        self._pace.take(on_its_way.size)
        hop = self._hop + ticket.encoded() + _expiry.pack(2, int(self._patience(ticket)) + EXPIRES_LATER_S)
        self.link.send(
            letter.topic,
            letter.payload,
            letter.properties + hop,
            done=partial(self._answered, ticket, on_its_way),
        )

    # --- what became of it ---

    def _answered(self, ticket: Ticket, on_its_way: _OnItsWay, outcome: Outcome) -> None:
        """Take the broker's answer for what it is."""
        if self._out.get(ticket) is not on_its_way:
            return  # its receipt was faster
        if outcome is Outcome.ACCEPTED:
            on_its_way.due = time.monotonic() + self._patience(ticket)
            return
        self._forget(ticket)
        match outcome:
            case Outcome.UNSENT:
                self._again[ticket] = None
            case Outcome.UNROUTED:
                self._put_back(ticket, on_its_way)
                self._hold_on("nobody takes messages")
            case Outcome.REFUSED:
                self._complain("the broker refuses a message, kept")
                on_its_way.due = time.monotonic() + self._patience(ticket)
                self._parked[ticket] = on_its_way
                self._tries[ticket] = self._tries.get(ticket, 0) + 1

    def _hear(self, delivery: Delivery) -> None:
        """Let go what a receipt names."""
        delivery.acknowledge()
        try:
            answers = decode(delivery.payload)
        except MalformedReceiptError as error:
            _log.warning("not receipts", topic=delivery.topic, reason=str(error))
            return
        settled = []
        for answer, correlation in answers:
            try:
                ticket = Ticket.decode(correlation)
            except ValueError:
                continue
            if answer is Answer.REFUSED:
                self._refused(ticket)
            else:
                settled.append((ticket, _FATES[answer]))
        if settled:
            self._settle(settled)
        self.link.loop.defer(self._fill)

    def _settle(self, settled: Sequence[tuple[Ticket, Fate]]) -> None:
        for ticket, _ in settled:
            self._forget(ticket)
            self._parked.pop(ticket, None)
            self._again.pop(ticket, None)
            self._tries.pop(ticket, None)
        if count := self._spool.release_many(settled):
            self.last_receipt = Moment.now()
            self._window.grow(count)
            self._pause.reset()
            self._paused_until = 0.0
            if self.trouble:
                self.trouble = ""
                _log.info("messages are taken again", broker=self.link.name)
        if self._probes:
            self._tell_probes(settled)

    def _tell_probes(self, settled: Sequence[tuple[Ticket, Fate]]) -> None:
        for ticket, fate in settled:
            probe = self._probes.pop(ticket, None)
            if probe and self._on_probe:
                self._on_probe(probe, Answer.STORED if fate is Fate.HANDED_ON else Answer.DEAD)

    def _refused(self, ticket: Ticket) -> None:
        """Wait: the next holder has no room."""
        on_its_way = self._out.get(ticket)
        if on_its_way:
            self._forget(ticket)
            self._put_back(ticket, on_its_way)
        self._hold_on("the next holder has no room")

    def _hold_on(self, reason: str) -> None:
        """Send nothing for a while, and then one to see."""
        self._complain(reason)
        self._window.close()
        if time.monotonic() >= self._paused_until:
            self._paused_until = time.monotonic() + self._pause.next_s()
        self.link.loop.defer(self._fill)

    def _tick(self) -> None:
        """Send again what is late; let go what is too old."""
        now = time.monotonic()
        late = [ticket for ticket, each in self._out.items() if each.due <= now]
        for ticket in late:
            self._forget(ticket)
            self._tries[ticket] = self._tries.get(ticket, 0) + 1
            self._again[ticket] = None
        if late:
            _late.inc(len(late))
            self._window.shrink()
            self._complain("receipts do not come in time, sending again")
        for ticket in [ticket for ticket, each in self._parked.items() if each.due <= now]:
            self._put_back(ticket, self._parked.pop(ticket))
        if self._limits.keep_s and now >= self._look_for_old_at:
            self._look_for_old_at = now + min(self._limits.keep_s / 4, LOOK_FOR_OLD_MOST_S)
            self._spool.give_up_older(self._limits.keep_s)
        self._fill()
        if not self._ended:
            self.link.loop.after(TICK_S, self._tick)

    def _turned(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - a callback has positional arguments
        """Begin anew on a new connection; what was on its way may have got lost with the old one."""
        for ticket, parked in self._parked.items():
            self._put_back(ticket, parked)
        self._again.update(dict.fromkeys(self._out))
        self._out.clear()
        self._out_bytes = 0
        self._parked.clear()
        self._tries.clear()
        if connected:
            self._window.begin(self.link.broker_receive_maximum)
            self._pause.reset()
            self._paused_until = 0.0
            self.link.loop.defer(self._fill)
        self._report_state(connected, detail)

    def _patience(self, ticket: Ticket) -> float:
        """Return how long to wait for a receipt: doubled with each try, with jitter."""
        waits = self._limits.receipt_timeout_s
        if tries := self._tries.get(ticket):
            waits = min(waits * 2.0 ** min(tries, 16), max(self._limits.retry_most_s, waits))
        return waits * (1.0 + random.random() / 4)  # noqa: S311 - jitter, not a secret

    def _put_back(self, ticket: Ticket, on_its_way: _OnItsWay) -> None:
        """Take back what surely did not arrive this time."""
        if on_its_way.sent_before:
            self._again[ticket] = None
        else:
            self._spool.give_back(ticket)

    def _forget(self, ticket: Ticket) -> None:
        on_its_way = self._out.pop(ticket, None)
        if on_its_way:
            self._out_bytes -= on_its_way.size

    def _complain(self, reason: str) -> None:
        if reason != self.trouble:
            self.trouble = reason
            _log.warning(reason, broker=self.link.name, held=self._spool.accounts().held)
