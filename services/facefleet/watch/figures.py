"""The roster as metrics.

What only a device that is there can tell (its cameras, its machine, its link) is shown while it is there; its
accounts and the end of its certificate stay as it last said them. What it does not say is not shown.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from facefleet.fleet.device import CONNECTED, UNSYNCHRONIZED, CameraState
from facefleet.fleet.roster import Entry, utc_now
from facefleet.fleet.verdict import SEVERITIES, problems
from facefleet.watch.post import Post

Family = type[GaugeMetricFamily] | type[CounterMetricFamily]
Camera = tuple[str, str, CameraState]
"""Device, camera, and what it said."""
OfDevice = Callable[[Entry], float | None]
OfCamera = Callable[[CameraState], float | None]


class Figures(Collector):
    """Tells the roster as it is when asked."""

    def __init__(self, post: Post, registry: CollectorRegistry = REGISTRY) -> None:
        """Show the roster on the metrics endpoint."""
        self._post = post
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield each figure of each device; all are of one moment."""
        now = utc_now()
        entries = self._post.entries()
        here = [entry for entry in entries if entry.online(now)]
        yield GaugeMetricFamily(
            "facefleet_watch_connected", "1 while the broker is heard", float(self._post.connected)
        )
        yield from _standing(entries, now)
        yield from _accounts(entries)
        yield from _machines(here)
        yield from _cameras(here)


def _standing(entries: list[Entry], now: datetime) -> Iterator[Metric]:
    yield _gauge("online", "1 while it says that it is there", entries, lambda entry: entry.online(now))
    yield _gauge("heard_timestamp_seconds", "When it last said something", entries, _time_of("heard"))
    yield _gauge(
        "since_timestamp_seconds",
        "Since when it stands as it does",
        entries,
        lambda entry: _stamp(entry.standing_since(now)),
    )
    release = GaugeMetricFamily(
        "facefleet_device_release_info", "The release that it runs", labels=["device", "release"]
    )
    wrong = GaugeMetricFamily(
        "facefleet_device_problems", "What is wrong with it, by how bad", labels=["device", "severity"]
    )
    for entry in entries:
        if entry.device.release:
            release.add_metric([entry.name, entry.device.release], 1)
        counts = Counter(problem.severity for problem in problems(entry, now))
        for severity in SEVERITIES:
            wrong.add_metric([entry.name, severity], counts[severity])
    yield from (release, wrong)


def _accounts(entries: list[Entry]) -> Iterator[Metric]:
    for name, text in (
        ("taken", "Faces ever taken into custody"),
        ("stored", "Faces that S3 has"),
        ("dead", "Faces that became dead letters"),
        ("given_up", "Faces given up"),
    ):
        yield _of_devices(CounterMetricFamily, name, text, entries, attrgetter(f"device.{name}"))
    for name, text, field in (
        ("held", "Faces on its disk that S3 has not", "held"),
        ("oldest_seconds", "Age of the oldest of them", "oldest_s"),
        ("spool_bytes", "What its spool takes on disk", "spool_bytes"),
        ("spool_max_bytes", "What its spool may take", "spool_max_bytes"),
    ):
        yield _gauge(name, text, entries, attrgetter(f"device.{field}"))
    yield _gauge(
        "last_receipt_timestamp_seconds",
        "When a face of it was last receipted",
        entries,
        _time_of("device.last_receipt"),
    )
    yield _gauge(
        "certificate_end_timestamp_seconds",
        "When its certificate ends",
        entries,
        _time_of("device.certificate_ends"),
    )


def _machines(here: list[Entry]) -> Iterator[Metric]:
    yield _gauge("cloud_connected", "1 while it has a way to the cloud", here, _connected)
    yield _gauge("clock_right", "1 while something sets its clock", here, _right)
    yield _gauge("update_failed", "1 while what it was ordered has failed there", here, _update_failed)
    yield _gauge(
        "update_looked_timestamp_seconds",
        "When it last looked for an order, if it does",
        here,
        lambda entry: _stamp(entry.device.pull.said) if entry.device.pull else None,
    )
    for name, text, field in (
        ("disk_free_bytes", "Free on its disk", "disk_free"),
        ("disk_total_bytes", "Size of its disk", "disk_total"),
        ("memory_free_bytes", "Free in its memory", "memory_free"),
        ("memory_total_bytes", "Size of its memory", "memory_total"),
        ("temperature_celsius", "How warm it is", "temperature"),
    ):
        yield _gauge(name, text, here, attrgetter(f"device.host.{field}"))


def _cameras(here: list[Entry]) -> Iterator[Metric]:
    cameras = [(entry.name, name, camera) for entry in here for name, camera in entry.device.cameras.items()]
    gauges: tuple[tuple[str, str, OfCamera], ...] = (
        ("up", "1 while it gives pictures", attrgetter("sees")),
        ("paused", "1 while somebody has paused it", attrgetter("paused")),
        ("fps", "Frames looked at a second", attrgetter("fps")),
        (
            "last_face_timestamp_seconds",
            "When it last captured a face",
            lambda camera: _stamp(camera.last_face),
        ),
        ("held", "Faces in its outbox", attrgetter("held")),
    )
    counters: tuple[tuple[str, str, OfCamera], ...] = (
        ("captured", "Faces captured", attrgetter("captured")),
        ("given_up", "Faces given up for want of room in its outbox", attrgetter("given_up")),
    )
    for name, text, value in gauges:
        yield _of_cameras(GaugeMetricFamily, name, text, cameras, value)
    for name, text, value in counters:
        yield _of_cameras(CounterMetricFamily, name, text, cameras, value)


def _update_failed(entry: Entry) -> bool | None:
    return entry.device.pull.state == "failed" if entry.device.pull else None


def _gauge(name: str, text: str, entries: list[Entry], value: OfDevice) -> Metric:
    return _of_devices(GaugeMetricFamily, name, text, entries, value)


def _of_devices(kind: Family, name: str, text: str, entries: list[Entry], value: OfDevice) -> Metric:
    family = kind(f"facefleet_device_{name}", text, labels=["device"])
    for entry in entries:
        if (shown := value(entry)) is not None:
            family.add_metric([entry.name], float(shown))
    return family


def _of_cameras(kind: Family, name: str, text: str, cameras: list[Camera], value: OfCamera) -> Metric:
    family = kind(f"facefleet_device_camera_{name}", text, labels=["device", "camera"])
    for device, camera, said in cameras:
        if (shown := value(said)) is not None:
            family.add_metric([device, camera], float(shown))
    return family


def _time_of(field: str) -> OfDevice:
    read = attrgetter(field)
    return lambda entry: _stamp(read(entry))


def _stamp(time: datetime | None) -> float | None:
    return time.timestamp() if time else None


def _connected(entry: Entry) -> float | None:
    return None if entry.device.cloud is None else entry.device.cloud == CONNECTED


def _right(entry: Entry) -> float | None:
    return None if entry.device.clock is None else entry.device.clock != UNSYNCHRONIZED
