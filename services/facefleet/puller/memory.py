"""What the puller remembers from run to run: the order that was applied, and the one that failed."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

FIRST_WAIT_S = 3600.0
MOST_WAIT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An order that failed: how often, why, and when it may be tried again (by the clock)."""

    serial: int
    tries: int
    why: str
    again_at: float

    def waits(self, now: float) -> bool:
        """Return whether it is too early; a clock that went back makes nobody wait for ever."""
        return 0 < self.again_at - now <= MOST_WAIT_S

    def once_more(self, why: str, now: float) -> Self:
        """Return it after another failure: each wait is twice the one before."""
        wait = min(FIRST_WAIT_S * 2.0 ** min(self.tries, 32), MOST_WAIT_S)
        return replace(self, tries=self.tries + 1, why=why, again_at=now + wait)


@dataclass(frozen=True, slots=True)
class Memory:
    """`order` and `signature` are those of the order that was applied last, as they came."""

    serial: int = 0
    edition: str = ""
    order: str = ""
    signature: str = ""
    failure: Failure | None = None

    def applied(self, serial: int, edition: str, order: str, signature: str) -> Self:
        """Return it once an order was applied."""
        return replace(self, serial=serial, edition=edition, order=order, signature=signature, failure=None)

    def failed(self, serial: int, why: str, now: float) -> Self:
        """Return it once an order failed."""
        known = (
            self.failure if self.failure and self.failure.serial == serial else Failure(serial, 0, why, now)
        )
        return replace(self, failure=known.once_more(why, now))

    def failure_of(self, serial: int) -> Failure | None:
        """Return how an order failed, if it did."""
        return self.failure if self.failure and self.failure.serial == serial else None


def load(file: Path) -> Memory:
    """Read it; one that is missing or damaged is as good as new: signature and gate protect the device."""
    try:
        said = json.loads(file.read_text())
        failure = Failure(**said.pop("failure")) if said.get("failure") else None
        return Memory(**{**said, "failure": failure})
    except (OSError, ValueError, TypeError, AttributeError):
        return Memory()


def save(file: Path, memory: Memory) -> None:
    """Write it so that it is on the disk, the old or the new one, whenever the power goes."""
    write(file, json.dumps(asdict(memory)).encode(), 0o600)


def write(file: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step."""
    fresh = file.with_name(f".{file.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123 - with its rights
        out.write(content)
        out.flush()
        os.fchmod(out.fileno(), mode)
        os.fsync(out.fileno())
    fresh.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
