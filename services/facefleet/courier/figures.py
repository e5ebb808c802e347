"""A spool's accounts as metrics."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from facefleet.custody.spool import Spool


class Figures(Collector):
    """Tells the accounts as they are when asked: taken = handed on + rejected + given up + damaged + held."""

    def __init__(self, spool: Spool, registry: CollectorRegistry = REGISTRY) -> None:
        """Show a spool's accounts on the metrics endpoint."""
        self._spool = spool
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield each figure; all are of one moment."""
        accounts = self._spool.accounts()
        for name, text, count in (
            ("taken", "Events ever taken into custody", accounts.taken),
            ("handed_on", "Events that the next holder has", accounts.handed_on),
            ("rejected", "Events that the next holder keeps as dead letters", accounts.rejected),
            ("given_up", "Events given up for want of room", accounts.given_up),
            ("damaged", "Events whose record the disk damaged", accounts.damaged),
        ):
            yield CounterMetricFamily(f"facefleet_events_{name}", text, count)
        for name, text, value in (
            ("events_held", "Events in custody", accounts.held),
            ("spool_bytes", "What the spool takes on disk", accounts.disk_bytes),
            ("spool_oldest_seconds", "Age of the oldest event in custody", accounts.oldest_s),
            ("spool_torn", "Records cut off at the start, written only in part", accounts.torn),
        ):
            yield GaugeMetricFamily(f"facefleet_{name}", text, value)
