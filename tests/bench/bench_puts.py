"""Puts a second: our client against plain boto3, and against what the S3 server itself can do.

`python -m tests.bench.bench_puts [--json FILE] [--rounds N] [--seconds S]`

It starts an S3 server of its own. On one connection that server is the limit: it takes 1.5 ms for a put, and
no second one meanwhile. What counts is the processor as it is deployed, with 16 puts at once.
"""

import argparse
import hashlib
import itertools
import json
import os
import secrets
import socket
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import docker
from botocore.config import Config
from facefleet.storage.answer import read_answer
from facefleet.storage.keys import KeyRing
from facefleet.storage.put import Puts, Upload
from facefleet.storage.s3 import S3Settings

from tests.bench.table import Row, Target, render
from tests.images import newest_image
from tests.integration.containers import BUCKETS, S3Server, succeeds

OBJECT_BYTES = 20_000
THREADS = 16
METADATA = {
    "specversion": "1.0", "id": "0" * 32, "source": "/devices/jetson-01/cameras/lobby",
    "type": "org.facefleet.face.v1", "time": "2026-11-22T07:50:01.123Z", "subject": "track/3",
    "camera": "lobby", "sequence": "12345", "sha256": "0" * 64, "score": "0.875",
    "box": "312,140,164,201", "track": "3",
}  # fmt: skip

PutOne = Callable[[Upload], None]
_numbers = itertools.count()
_run = secrets.token_hex(4)


def upload() -> Upload:
    """Return an object as the processor has it: its digest is known."""
    body = os.urandom(16) + bytes(OBJECT_BYTES - 16)
    key = f"faces/bench-{_run}/lobby/2026/11/22/20261122T075001.123Z-{next(_numbers):08x}.png"
    return Upload(key, body, hashlib.sha256(body).digest(), "image/png", METADATA)


def with_boto3(server: S3Server, threads: int) -> PutOne:
    """Return the put that anyone would write."""
    s3 = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        config=Config(max_pool_connections=threads),
    )

    def put(each: Upload) -> None:
        s3.put_object(
            Bucket=BUCKETS[0],
            Key=each.key,
            Body=each.body,
            ContentType=each.content_type,
            Metadata=dict(each.metadata),
            IfNoneMatch="*",
            ChecksumSHA256=b64encode(each.digest).decode(),
        )

    return put


def with_ours(puts: Puts) -> PutOne:
    def put(each: Upload) -> None:
        answer = puts.put(each)
        assert answer.status == 200, answer

    return put


def load(put: PutOne, threads: int, seconds: float) -> tuple[float, float]:
    """Put for so long; return puts a second and seconds of our processor time a put."""
    counts = [0] * threads
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        while time.monotonic() < end:
            put(upload())
            counts[number] += 1

    return measured(threads, work, lambda: sum(counts))


def raw_load(place: tuple[str, int], requests: list[bytes], threads: int) -> tuple[float, float]:
    """Send requests that were made beforehand: the server's own limit."""
    waiting = iter(requests)

    def work(_number: int) -> None:
        with socket.create_connection(place, timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in waiting:  # one next() is one step of the interpreter
                connection.sendall(request)
                answer = read_answer(connection.recv)
                assert answer.status == 200, answer

    return measured(threads, work, lambda: len(requests))


def measured(threads: int, work: Callable[[int], None], count: Callable[[], int]) -> tuple[float, float]:
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    began, cpu = time.monotonic(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done = count()
    return done / (time.monotonic() - began), (time.process_time() - cpu) / done


@contextmanager
def s3_server() -> Iterator[S3Server]:
    engine = docker.from_env()
    with tempfile.TemporaryDirectory() as folder:
        server = S3Server(engine, newest_image(engine, "s3"), Path(folder))
        try:
            server.start()
            admin = server.client("admin")
            succeeds(lambda: admin.create_bucket(Bucket=BUCKETS[0]), 60)
            server.await_put(BUCKETS[0], 60)
            os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(server.credentials("processor"))
            yield server
        finally:
            server.remove()
            engine.close()


@dataclass
class Lane:
    """One way to put: its rates and its processor time a put in microseconds, one a round."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def add(self, found: tuple[float, float]) -> None:
        self.rates.append(found[0])
        self.costs.append(found[1] * 1e6)


def run(rounds: int, seconds: float) -> list[Row]:
    """Measure all lanes in turn, so often."""
    lanes = {(name, threads): Lane() for name in ("boto3", "ours", "raw") for threads in (1, THREADS)}
    with s3_server() as server:
        settings = S3Settings.model_validate({"bucket": BUCKETS[0], "s3_endpoint": server.url})
        puts = Puts(settings)
        keys = KeyRing().current()
        for _ in range(rounds):
            for threads in (1, THREADS):
                ours = lanes["ours", threads]
                lanes["boto3", threads].add(load(with_boto3(server, threads), threads, seconds))
                ours.add(load(with_ours(puts), threads, seconds))
                objects = [upload() for _ in range(max(threads, int(ours.rates[-1] * seconds)))]
                requests = [puts._head(each, keys) + each.body for each in objects]
                lanes["raw", threads].add(raw_load(("127.0.0.1", server.port), requests, threads))
        puts.close()
    return rows(lanes)


def rows(lanes: dict[tuple[str, int], Lane]) -> list[Row]:
    one: dict[str, Lane] = {}
    many: dict[str, Lane] = {}
    for (name, threads), lane in lanes.items():
        (one if threads == 1 else many)[name] = lane
    at_once = f"{THREADS} at once"
    limit = "pre-signed, raw sockets"
    return [
        Row(
            "puts", f"{at_once}, as the processor does", "puts/s", many["ours"].rates, one["boto3"].rates,
            "boto3, 1 thread", Target("at least", 3),
        ),
        Row("puts", at_once, "puts/s", many["ours"].rates, many["boto3"].rates, "boto3"),
        Row(
            "puts", f"{at_once}, of the server's limit", "puts/s", many["ours"].rates, many["raw"].rates,
            limit,
        ),
        Row("puts", "1 thread", "puts/s", one["ours"].rates, one["boto3"].rates, "boto3"),
        Row("puts", "1 thread, of the server's limit", "puts/s", one["ours"].rates, one["raw"].rates, limit),
        Row("puts", "CPU a put, 1 thread", "us", one["ours"].costs, one["boto3"].costs, "boto3"),
        Row("puts", f"CPU a put, {at_once}", "us", many["ours"].costs, many["boto3"].costs, "boto3"),
        Row("puts", f"CPU a put of the load alone, {at_once}", "us", many["raw"].costs),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench_puts", description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    rows = run(options.rounds, options.seconds)
    print(render(rows, smoke=False))  # noqa: T201 - printing is its job
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
