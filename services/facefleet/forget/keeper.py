"""`python -m facefleet.forget.keeper`: deletes, hour by hour, what has been in the bucket for long enough.

For an S3 server of our own: SeaweedFS 4.48 takes lifecycle rules and does nothing about them unless two more
of its programs run, which bring a web interface with them.

While nobody knows that the clock is right, nothing is deleted: by one that is a year ahead all is too old.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from prometheus_client import Counter
from pydantic import Field

from facefleet.forget.account import Account
from facefleet.forget.bucket import BATCH_MOST, Bucket, BucketError, Refusal
from facefleet.forget.expiry import Expiry
from facefleet.forget.selection import DEAD_LETTERS, FACES, PROBES
from facefleet.runtime import logs
from facefleet.runtime.clock import Trust, known_right
from facefleet.runtime.health import Health
from facefleet.runtime.service import ServiceError, main
from facefleet.storage.s3 import S3Settings

CONDITIONS = ("bucket",)
AGAIN_AFTER_S = 10.0

_log = logs.get("keeper")
_expired = Counter("facefleet_expired_total", "Versions deleted as they had been kept long enough", ["area"])


class KeeperSettings(S3Settings):
    """How many days each area is kept; 0 is for ever."""

    faces_days: float = Field(default=0.0, ge=0.0)
    dead_letter_days: float = Field(default=0.0, ge=0.0)
    probes_days: float = Field(default=0.0, ge=0.0)
    every_s: float = Field(default=3600.0, gt=0.0, le=86_400.0)
    """From one pass to the next."""
    clock: Trust = "kernel"
    """How to know that the clock is right."""

    def expiries(self, now: datetime) -> Iterator[Expiry]:
        """Yield what has been there for too long."""
        kept = {FACES: self.faces_days, DEAD_LETTERS: self.dead_letter_days, PROBES: self.probes_days}
        for area, days in kept.items():
            if days:
                yield Expiry(area, now - timedelta(days=days), now)


def run(settings: KeeperSettings, health: Health, stop: threading.Event) -> None:
    """Look, delete and wait, until told to stop.

    Raises:
        ServiceError: there can be no such bucket.
    """
    try:
        bucket = Bucket(settings)
    except BucketError as error:
        raise ServiceError(str(error)) from error
    waits = False
    while not stop.is_set():
        if not known_right(settings.clock):
            if not waits:
                _log.warning(
                    "nothing deleted until the clock is known to be right",
                    remedy="let this host reach a time server, or set cloud_clock to trusted",
                )
            waits = True
            health.good("bucket", "waits for the right time")
            stop.wait(AGAIN_AFTER_S)
            continue
        waits = False
        try:
            for expiry in settings.expiries(datetime.now(UTC)):
                delete(bucket, expiry, stop)
        except BucketError as error:
            health.bad("bucket", str(error))
            _log.warning("nothing deleted, trying again", reason=str(error))
            stop.wait(AGAIN_AFTER_S)
        else:
            health.good("bucket")
            stop.wait(settings.every_s)


def delete(bucket: Bucket, expiry: Expiry, stop: threading.Event) -> None:
    """Make one pass over an area.

    Raises:
        BucketError: the bucket cannot be listed, or keeps some.
    """
    account = Account()
    refused: list[Refusal] = []
    found = bucket.selected(expiry)
    while not stop.is_set() and (batch := list(islice(found, BATCH_MOST))):
        refusals = bucket.erase(batch, account)
        refused += refusals
        _expired.labels(area=expiry.area).inc(len(batch) - len(refusals))
    if account.entries:
        total = account.total
        _log.info("kept long enough, deleted", area=expiry.area, objects=total.objects, size=total.bytes)
    if refused:
        raise BucketError(f"{len(refused)} versions were not deleted; {refused[0].key}: {refused[0].reason}")


if __name__ == "__main__":
    main("keeper", KeeperSettings, CONDITIONS, run)
