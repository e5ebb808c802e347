"""Receipts: how a taker says, in batches, that it has what it was given, and how the giver reads them.

A receipt names a message by the Correlation Data that came with it. The payload is JSON, so that an operator
can read it: `{"stored": ["<hex>", ...], "dead": [...], "kept": [...], "refused": [...]}`.
"""

import enum
import json
import threading
from collections.abc import Mapping, Sequence
from functools import partial

from prometheus_client import Counter

from facefleet.messaging.link import Link

CONTENT_TYPE = "application/json"
CORRELATION_MOST = 64
"""Bytes of Correlation Data that are answered."""
BATCH_MOST = 100
BATCH_S = 0.02

_sent = Counter("facefleet_receipts_sent_total", "Receipts sent", ["answer"])


class MalformedReceiptError(ValueError):
    """The payload holds no receipts."""


class Answer(enum.Enum):
    """What became of a message."""

    STORED = "stored"
    """In S3, now or before."""
    DEAD = "dead"
    """Can never be a face: kept as a dead letter."""
    KEPT = "kept"
    """On the taker's disk."""
    REFUSED = "refused"
    """The taker has no room: keep it and try later."""


def encode(answers: Mapping[Answer, Sequence[bytes]]) -> bytes:
    """Return the payload of a batch."""
    return json.dumps(
        {answer.value: [each.hex() for each in those] for answer, those in answers.items() if those},
        separators=(",", ":"),
    ).encode()


def decode(payload: bytes) -> list[tuple[Answer, bytes]]:
    """Return what each receipt says of which Correlation Data. What we do not know, we leave out.

    Raises:
        MalformedReceiptError: when it is not such a payload.
    """
    try:
        said = json.loads(payload)
        return [(answer, bytes.fromhex(each)) for answer in Answer for each in said.get(answer.value, ())]
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedReceiptError(f"no receipts: {error}") from None


class Receipts:
    """Collects receipts and sends them in batches. Any thread.

    One that gets lost is no harm: the message comes again and is answered again.
    """

    def __init__(self, link: Link, *, most: int = BATCH_MOST, wait_s: float = BATCH_S) -> None:
        """Send over `link` when `most` for one topic are there, or `wait_s` seconds after the first."""
        self._link = link
        self._loop = link.loop
        self._most = most
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[Answer, list[bytes]]] = {}
        self._counts: dict[str, int] = {}

    def add(self, topic: str, answer: Answer, correlation: bytes) -> None:
        """Answer one message, soon."""
        with self._lock:
            self._waiting.setdefault(topic, {}).setdefault(answer, []).append(correlation)
            count = self._counts[topic] = self._counts.get(topic, 0) + 1
        if count == 1:
            self._loop.call(partial(self._loop.after, self._wait_s, partial(self._send, topic)))
        elif count == self._most:
            self._loop.call(partial(self._send, topic))

    def flush(self) -> None:
        """Send all that wait."""
        for topic in list(self._waiting):
            self._send(topic)

    def _send(self, topic: str) -> None:
        with self._lock:
            batch = self._waiting.pop(topic, None)
            self._counts.pop(topic, None)
        if batch:
            self._link.publish(topic, encode(batch), content_type=CONTENT_TYPE)
            for answer, those in batch.items():
                _sent.labels(answer=answer.value).inc(len(those))
