"""`python -m facefleet.sheet`: how many faces were captured and stored, and a picture of the newest."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from pydantic import TypeAdapter, ValidationError

from facefleet.runtime import logs
from facefleet.runtime.identity import Identity
from facefleet.runtime.settings import BrokerUrl
from facefleet.sheet.account import Account, Report, count_dead, count_faces, newest
from facefleet.sheet.bucket import Bucket, BucketError
from facefleet.sheet.cameras import BrokerError, Cameras
from facefleet.sheet.picture import Tile, contact_sheet
from facefleet.storage.faces import Camera

SHOWN = 48
LOOK_EVERY_S = 1.0
TELL_EVERY_S = 5.0
STILL_WITHIN_S = 5.0

Reports = Callable[[], dict[Camera, Report]]


class ShortError(Exception):
    """The time is up and faces are still missing; the text says which."""


def main() -> None:
    """Read the options, then the account, then the faces; ends the process, 1 after a failure."""
    options = _options()
    logs.configure("sheet", level="error")
    if options.credentials:
        if not options.credentials.is_file():
            sys.exit(f"--credentials {options.credentials} is no file: correct the path")
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(options.credentials)
    cameras = None
    try:
        bucket = Bucket(options.bucket, options.endpoint)
        if options.list:
            show_keys(bucket)
            return
        if options.broker:
            cameras = Cameras(_broker(options.broker), Identity.within(options.identity))
        reports: Reports = cameras.reports if cameras else dict
        account = _take_account(bucket, reports())
        if options.wait_for:
            account = wait(bucket, reports, options.wait_for, options.timeout)
        draw(bucket, account, options.out)
        show(account, options)
    except (BucketError, BrokerError, ShortError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted")
    finally:
        if cameras:
            cameras.close()


def wait(bucket: Bucket, reports: Reports, at_least: int, timeout_s: float) -> Account:
    """Wait until so many faces are stored, and all that were captured by then are, too.

    Raises:
        ShortError: when that takes longer than `timeout_s`.
    """
    started = time.monotonic()
    told = started
    sample: dict[Camera, Report] | None = None
    trouble = "nothing read yet"
    while True:
        try:
            account = _take_account(bucket, reports() if sample is None else sample)
            if account.total_stored >= at_least:
                # From here on the goal stands still, although the cameras go on.
                sample = sample or dict(account.reports)
                if not account.missing:
                    return _still_account(bucket, reports)
            trouble = _shortage(account, at_least)
        except BucketError as error:
            trouble = str(error)
        now = time.monotonic()
        if now - started >= timeout_s:
            raise ShortError(f"after {timeout_s:.0f} s: {trouble}")
        if now - told >= TELL_EVERY_S:
            print(f"waiting, {now - started:.0f} s: {trouble}", flush=True)
            told = now
        time.sleep(LOOK_EVERY_S)


def draw(bucket: Bucket, account: Account, out: Path) -> None:
    """Write the contact sheet of the newest faces.

    Raises:
        BucketError: when a face cannot be read.
        ShortError: when the file cannot be written.
    """
    faces = newest(bucket.faces(), SHOWN)
    tiles = [
        Tile(face.camera, face.time, image) for face, image in zip(faces, bucket.images(faces), strict=True)
    ]
    captured = "" if account.total_captured is None else f"{account.total_captured:,} faces captured, "
    heading = f"{captured}{account.total_stored:,} stored"
    heading += f", the newest {len(tiles)} below" if account.total_stored > len(tiles) else ""
    notes = [
        (
            line.camera,
            f"{line.stored:,} stored"
            if line.captured is None
            else f"{line.captured:,} captured, {line.stored:,} stored",
        )
        for line in account.lines
    ]
    sheet = contact_sheet(tiles, f"{heading}   (times in UTC)", notes)
    ok, png = cv2.imencode(".png", sheet)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(png.tobytes() if ok else b"")
    except OSError as error:
        raise ShortError(f"--out {out} cannot be written: {error.strerror}") from error


def show(account: Account, options: argparse.Namespace) -> None:
    """Print the result."""
    rows = [("", "captured", "stored", "dead letters")]
    rows += [
        (str(line.camera), _shown(line.captured), f"{line.stored:,}", f"{line.dead:,}")
        for line in account.lines
    ]
    rows.append(
        ("all", _shown(account.total_captured), f"{account.total_stored:,}", f"{account.total_dead:,}")
    )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    print()
    for name, *counts in rows:
        cells = (count.rjust(width) for count, width in zip(counts, widths[1:], strict=True))
        print("  " + "   ".join([name.ljust(widths[0]), *cells]))
    print()
    print(f"  faces           s3://{options.bucket}/faces/")
    if account.total_dead:
        print(f"  dead letters    s3://{options.bucket}/dead-letter/")
    print(f"  server          {options.endpoint or 'AWS'}")
    print(f"  contact sheet   {options.out.resolve()}")
    if account.missing:
        print(f"  on their way    {_listed(account.missing)}")


def show_keys(bucket: Bucket) -> None:
    """Print the keys of the newest faces, the newest first."""
    for face in newest(bucket.faces(), SHOWN):
        print(face.key)


def _take_account(bucket: Bucket, reports: dict[Camera, Report]) -> Account:
    return Account(reports, count_faces(bucket.faces()), count_dead(bucket.dead_letters()))


def _still_account(bucket: Bucket, reports: Reports) -> Account:
    """Return an account of a moment with nothing on its way, if there is one soon: the cameras go on."""
    deadline = time.monotonic() + STILL_WITHIN_S
    account = _take_account(bucket, reports())
    while not account.even and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S / 4)
        account = _take_account(bucket, reports())
    return account


def _shortage(account: Account, at_least: int) -> str:
    parts = [f"{account.total_stored} of {at_least} faces stored"]
    if account.missing:
        parts.append(f"captured and not stored yet: {_listed(account.missing)}")
    if account.total_dead:
        parts.append(f"dead letters: {account.total_dead}")
    return ", ".join(parts)


def _listed(missing: dict[Camera, int]) -> str:
    return ", ".join(f"{count} of {camera}" for camera, count in missing.items())


def _shown(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _broker(text: str) -> BrokerUrl:
    try:
        url: BrokerUrl = TypeAdapter(BrokerUrl).validate_python(text)
    except ValidationError as error:
        raise BrokerError(f"--broker {text!r} is impossible: {error.errors()[0]['msg']}") from None
    return url


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="facefleet-sheet", description=__doc__)
    parser.add_argument("--endpoint", metavar="URL", help="the S3 server (default: AWS)")
    parser.add_argument("--bucket", required=True, help="the bucket's name")
    parser.add_argument("--credentials", metavar="FILE", type=Path, help="an AWS shared credentials file")
    parser.add_argument(
        "--broker",
        metavar="URL",
        help="the edge broker, mqtt://..., which knows how many faces were captured",
    )
    parser.add_argument(
        "--identity",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help="has ca.crt, host.crt and host.key, for mqtts://",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, default=Path("faces.png"), help="the contact sheet (%(default)s)"
    )
    parser.add_argument(
        "--wait-for", metavar="N", type=int, default=0, help="wait until so many faces are stored"
    )
    parser.add_argument(
        "--timeout", metavar="S", type=float, default=120.0, help="of the wait, in seconds (%(default)s)"
    )
    parser.add_argument("--list", action="store_true", help="only print the keys of the newest faces")
    return parser.parse_args()


if __name__ == "__main__":
    main()
