"""Stands where a detector stands: makes events at a rate, and keeps them in a real outbox.

Runs inside a container of the project; CHAOS_LOAD holds its settings as JSON. After each append returned,
a line `<id> <sequence> <score> <fate>` goes to captured.log, on a disk that no fault touches: the ledger's
left side. `rate` beside it says how many events a second; accounts.json what the outbox says of itself.
"""

import json
import os
import random
import signal
import struct
import sys
import threading
import time
import zlib
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facefleet.courier.courier import Courier
from facefleet.courier.letter import letter_of
from facefleet.courier.limits import Limits
from facefleet.custody.entry import Entry, Kept
from facefleet.custody.spool import Spool
from facefleet.messaging import topics
from facefleet.messaging.event import Box, FaceEvent, new_id
from facefleet.runtime import logs
from pydantic import AnyUrl

STATE = Path("/var/lib/facefleet")
LEDGER = Path("/ledger")
TICK_S = 0.05
ACCOUNTS_EVERY_S = 0.25
CATCH_UP_MOST_S = 0.5
BODIES = 32


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Album:
    """Sound PNGs of noise, made once; each one given out says another number inside."""

    SIGNATURE = b"\x89PNG\r\n\x1a\n"

    def __init__(self, least: int, most: int) -> None:
        step = (most - least) / max(1, BODIES - 1)
        self._starts = [self._picture(int(least + step * number)) for number in range(BODIES)]

    def _picture(self, size: int) -> bytes:
        """Return signature, header and pixels: noise does not compress, so it is about that large."""
        width = 64
        height = max(1, size // (3 * width))
        rows = b"".join(b"\0" + random.randbytes(3 * width) for _ in range(height))
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return self.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1))

    def page(self, text: str) -> bytes:
        note = chunk(b"tEXt", b"Comment\0" + text.encode())
        return random.choice(self._starts) + note + chunk(b"IEND", b"")


class Load:
    """Makes events and appends them; what the outbox has no room for is appended later."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self._album = Album(told["least_bytes"], told["most_bytes"])
        camera = told["camera"]
        self._topic = topics.faces(told["topic_prefix"], told["device"], camera)
        self._spool = Spool(
            STATE / f"outbox-{camera}", max_bytes=told["outbox_max_bytes"], when_full=told["outbox_when_full"]
        )
        limits = Limits(receipt_timeout_s=told["receipt_timeout_s"], retry_most_s=told["retry_most_s"])
        self._courier = Courier(
            self._spool,
            AnyUrl(told["broker"]),
            f"{told['device']}-{camera}",
            receipts_topic=topics.camera_receipts(told["device"], camera),
            limits=limits,
            qos=told["qos"],
        )
        self._sequence = self._spool.accounts().taken
        self._refused: deque[tuple[FaceEvent, Entry]] = deque()
        self._captured = os.open(
            LEDGER / "captured.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
        )

    def run(self, stop: threading.Event) -> None:
        self._courier.start()
        credit, last, told_at = 0.0, time.monotonic(), 0.0
        while not stop.wait(TICK_S):
            now = time.monotonic()
            credit += self._rate() * min(now - last, CATCH_UP_MOST_S)
            last = now
            self._capture(int(credit))
            credit -= int(credit)
            if now - told_at >= ACCOUNTS_EVERY_S:
                told_at = now
                self._tell()
        self._courier.stop()
        self._tell()
        self._spool.close()

    def _rate(self) -> float:
        try:
            return float((LEDGER / "rate").read_text())
        except (OSError, ValueError):  # it is being written
            return 0.0

    def _capture(self, number: int) -> None:
        pending = [self._refused.popleft() for _ in range(len(self._refused))]
        if not pending:
            pending = [self._event() for _ in range(number)]
        if not pending:
            return
        kept = self._spool.append([entry for _, entry in pending])
        lines = []
        for (event, entry), fate in zip(pending, kept, strict=True):
            if fate is Kept.REFUSED:
                self._refused.append((event, entry))
            else:
                lines.append(f"{event.id} {event.sequence} {event.score:.3f} {fate.name}\n")
        os.write(self._captured, "".join(lines).encode())
        self._courier.nudge()

    def _event(self) -> tuple[FaceEvent, Entry]:
        self._sequence += 1
        event = FaceEvent(
            device=self._told["device"],
            camera=self._told["camera"],
            id=new_id(),
            time=datetime.now(UTC),
            sequence=self._sequence,
            track=self._sequence,
            score=round(random.uniform(0.3, 1.0), 3),
            box=Box(10, 20, 30, 40),
            image=self._album.page(f"{self._told['camera']} {self._sequence}"),
        )
        return event, letter_of(self._topic, event).entry()

    def _tell(self) -> None:
        accounts = self._spool.accounts()
        said = {
            name: getattr(accounts, name)
            for name in ("taken", "handed_on", "rejected", "given_up", "damaged", "held", "torn")
        }
        draft = LEDGER / "accounts.new"
        draft.write_text(json.dumps({**said, "refused": len(self._refused), "at": time.time()}))
        draft.replace(LEDGER / "accounts.json")


def die(args: threading.ExceptHookArgs) -> None:
    """A load with a dead thread would look alive: end it, as a service does."""
    logs.get("load").error("a thread died", exc_info=args.exc_value)
    sys.stdout.flush()
    os._exit(70)


def main() -> None:
    """Run until SIGTERM."""
    logs.configure("load")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.excepthook = die
    Load(json.loads(os.environ["CHAOS_LOAD"])).run(stop)


if __name__ == "__main__":
    main()
