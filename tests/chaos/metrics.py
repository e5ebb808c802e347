"""Looks at the services' metrics all the time: counters over restarts, and accounts that must add up."""

import re
import threading
import urllib.request
from collections.abc import Callable, Mapping

from tests.chaos.workshop import METRICS_PORT, Part

LOOK_EVERY_S = 0.5
ENDS = ("handed_on", "rejected", "given_up", "damaged")
ABSORBED = "facefleet_repeats_absorbed_total"
_SAMPLE = re.compile(r"(?m)^(facefleet_\w+)(?:\{.*\})? (\S+)$")

Values = dict[str, float]


def scrape(address: str, timeout: float = 1) -> Values:
    """Return the metrics of a service, each summed over its labels.

    Raises:
        OSError: when it does not answer.
    """
    with urllib.request.urlopen(f"http://{address}:{METRICS_PORT}/metrics", timeout=timeout) as answer:
        text = answer.read().decode()
    found: Values = {}
    for name, value in _SAMPLE.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def accounts_in(values: Mapping[str, float]) -> Values | None:
    """Return a forwarder's accounts from its metrics; None when it tells none."""
    if "facefleet_events_taken_total" not in values:
        return None
    found = {name: values.get(f"facefleet_events_{name}_total", 0.0) for name in ("taken", *ENDS)}
    return found | {"held": values.get("facefleet_events_held", 0.0)}


def imbalance(accounts: Mapping[str, float]) -> str:
    """Return how a holder's accounts do not add up, empty when they do."""
    parts = {name: accounts[name] for name in (*ENDS, "held")}
    if accounts["taken"] == sum(parts.values()):
        return ""
    told = " + ".join(f"{name} {value:.0f}" for name, value in parts.items())
    return f"taken {accounts['taken']:.0f} is not {told}"


class Meter:
    """Samples what runs, in a thread of its own."""

    def __init__(self, parts: Callable[[], Mapping[str, Part]]) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._last: dict[str, Values] = {}
        self._absorbed = 0.0
        self._imbalances: list[str] = []
        self.samples = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it, if it was started."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Sample all now; who does not answer is left out."""
        with self._looking:  # an older sample noted after a newer one would look like a restart
            for name, part in list(self._parts().items()):
                if not (address := part.address()):
                    continue
                try:
                    values = scrape(address)
                except (OSError, ValueError):
                    continue
                self._note(name, values)

    def _note(self, name: str, values: Values) -> None:
        with self._lock:
            before = self._last.get(name, {}).get(ABSORBED, 0.0)
            now = values.get(ABSORBED, 0.0)
            self._absorbed += now - before if now >= before else now  # it began anew
            if name == "forwarder":
                self.samples += 1
                accounts = accounts_in(values)
                if accounts and (wrong := imbalance(accounts)):
                    self._imbalances.append(wrong)
            self._last[name] = values

    def last(self, name: str, metric: str) -> float:
        """Return what a metric was when it was last seen; 0 when never."""
        with self._lock:
            return self._last.get(name, {}).get(metric, 0.0)

    def forget(self, name: str) -> None:
        """Begin anew with a service: another one takes its place."""
        with self._lock:
            self._last.pop(name, None)

    def taken(self) -> tuple[int, list[str]]:
        """Return how many were absorbed and which accounts were wrong, since the last call."""
        with self._lock:
            absorbed, imbalances = int(self._absorbed), self._imbalances
            self._absorbed, self._imbalances = 0.0, []
            return absorbed, imbalances

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            self.look()
